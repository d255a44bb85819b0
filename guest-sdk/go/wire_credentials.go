package berth

// encodeSigning adds what r says of how it is to be signed.
func encodeSigning(o object, r *Request) error {
	o.str("credential", r.Credential)
	o.bin("sha256", r.SHA256)
	if len(r.Keyed) == 0 {
		return nil
	}
	o.key("keyed").arrayLen(len(r.Keyed))
	for i := range r.Keyed {
		k := &r.Keyed[i]
		h, err := handleOfKey(k.Key)
		if err != nil {
			return err
		}
		item := o.e.object()
		item.str("name", k.Name)
		item.str("text", k.Text)
		item.int("key", h)
		item.str("enc", k.Encoding)
	}
	return nil
}

func handleOfKey(k *Key) (int64, error) {
	if k != nil {
		if h, ok := k.host.(*handle); ok {
			return h.h, nil
		}
	}
	return 0, NewError(KindInvalidArgument, "a key of another host, or none")
}

// Presign implements Host.
func (w *wireHost) Presign(r *Request, seconds int64) (string, error) {
	o := w.message()
	o.str("method", r.Method)
	o.str("url", r.URL)
	o.strs("headers", r.Headers)
	o.str("credential", r.Credential)
	o.int("seconds", seconds)
	return w.askText(hostPresign, "presign", "url")
}

// HMAC implements Host.
func (w *wireHost) HMAC(secret string, key *Key, alg string, data []byte) (*Key, error) {
	o := w.message()
	if key != nil {
		h, err := handleOfKey(key)
		if err != nil {
			return nil, err
		}
		o.int("key", h)
	}
	o.str("secret", secret)
	o.str("alg", alg)
	o.bin("data", data)
	h, err := w.askInt(hostHMAC, "hmac", "key")
	if err != nil {
		return nil, err
	}
	return &Key{host: &handle{w, h}}, nil
}

// Secret implements Host.
func (w *wireHost) Secret(name string) (value []byte, err error) {
	w.message().str("name", name)
	err = w.ask(hostSecret, "secret", func(d *decoder, key []byte) bool {
		if string(key) == "data" {
			value = append(value, d.bin()...)
			return true
		}
		return false
	})
	return value, err
}
