package runtime

// Defaults returns the zero Config with the defaults said at its fields, for who shows them.
func Defaults() Config {
	c, err := Config{}.withDefaults()
	if err != nil {
		panic(err) // the defaults are within the limits
	}
	return c
}

// CheckParameters says what is wrong with parameters that Open would be given, as Open would.
func (m *Module) CheckParameters(parameters map[string]any) error {
	_, err := m.params.Decode(parameters)
	return err
}
