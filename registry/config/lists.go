package config

import "strconv"

// lists makes lists of what variables set element by element (REGISTRY_STORAGE_NAME_ALLOW_0): distribution's parser makes
// a map of them where it knows no type, with the indices as keys. v stands where n says what may stand, and is changed.
func (n *Node) lists(v any) any {
	if n == nil {
		return v
	}
	if n.Kind == List {
		if list, ok := elements(v); ok {
			v = list
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = childOf(n, key).lists(value)
		}
	case map[any]any:
		for key, value := range v {
			if name, ok := key.(string); ok {
				v[key] = childOf(n, name).lists(value)
			}
		}
	case []any:
		for i, value := range v {
			v[i] = n.Elem.lists(value)
		}
	}
	return v
}

// elements returns the values of a map whose keys are 0 and what follows, without a gap.
func elements(v any) ([]any, bool) {
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		return nil, false
	}
	list := make([]any, len(m))
	for i := range list {
		value, there := m[strconv.Itoa(i)]
		if !there {
			return nil, false
		}
		list[i] = value
	}
	return list, true
}
