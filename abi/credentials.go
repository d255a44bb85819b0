package abi

// Signing is what a request says of how it is to be signed. All of it is optional.
type Signing struct {
	// Credential names one that the operator has bound to the request's origin.
	Credential string `json:"credential,omitempty"`
	// SHA256 is that of the body, for schemes that sign it; without it the host reads the
	// body once more than it sends it.
	SHA256 []byte `json:"sha256,omitempty"`
	// Keyed are values made of keys that the guest names and does not have.
	Keyed []Keyed `json:"keyed,omitempty"`
}

func (m *Signing) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyCredential:
		m.Credential = d.str()
	case KeySHA256:
		m.SHA256 = d.bin(nil)
	case KeyKeyed:
		n := d.arrayLen(1)
		if n > MaxKeyed {
			d.fail("%d keyed values, more than %d", n, MaxKeyed)
			return true
		}
		m.Keyed = make([]Keyed, n)
		for i := range m.Keyed {
			d.message(&m.Keyed[i])
			if d.err != nil {
				return true
			}
		}
		d.depth--
	default:
		return false
	}
	return true
}

// put writes the keys after those of the message that has m.
func (m *Signing) put(e *encoder) {
	e.str(KeyCredential, m.Credential)
	e.bin(KeySHA256, m.SHA256)
	if len(m.Keyed) > 0 {
		e.key(KeyKeyed)
		e.array(len(m.Keyed))
		for i := range m.Keyed {
			m.Keyed[i].put(e)
		}
	}
}

// Keyed is a header, or with a name that begins with "?" a parameter of the query: Text, in which
// KeyMark stands for the key's value in Encoding: "hex", "base64", "base64url".
type Keyed struct {
	Name     string `json:"name,omitempty"`
	Text     string `json:"text,omitempty"`
	Key      Handle `json:"key,omitempty"`
	Encoding string `json:"enc,omitempty"`
}

func (m *Keyed) reset() { *m = Keyed{} }

func (m *Keyed) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyName:
		m.Name = d.str()
	case KeyText:
		m.Text = d.str()
	case KeyKey:
		m.Key = Handle(d.size())
	case KeyEncoding:
		m.Encoding = d.str()
	default:
		return false
	}
	return true
}

func (m *Keyed) put(e *encoder) {
	e.begin(m.Name != "", m.Text != "", m.Key != 0, m.Encoding != "")
	e.str(KeyName, m.Name)
	e.str(KeyText, m.Text)
	e.int(KeyKey, int64(m.Key))
	e.str(KeyEncoding, m.Encoding)
}

// KeyMark is what stands for the key's value in the text of a Keyed.
const KeyMark = "{key}"

// PresignRequest is the request of HostPresign.
type PresignRequest struct {
	Method     string   `json:"method,omitempty"`
	URL        string   `json:"url,omitempty"`
	Headers    []string `json:"headers,omitempty"` // name, value, name, value, ...
	Credential string   `json:"credential,omitempty"`
	Seconds    int64    `json:"seconds,omitempty"`
}

func (m *PresignRequest) reset() { *m = PresignRequest{} }

func (m *PresignRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyMethod:
		m.Method = d.str()
	case KeyURL:
		m.URL = d.str()
	case KeyHeaders:
		m.Headers = d.strings(nil)
	case KeyCredential:
		m.Credential = d.str()
	case KeySeconds:
		m.Seconds = d.size()
	default:
		return false
	}
	return true
}

func (m *PresignRequest) put(e *encoder) {
	e.begin(m.Method != "", m.URL != "", len(m.Headers) > 0, m.Credential != "", m.Seconds != 0)
	e.str(KeyMethod, m.Method)
	e.str(KeyURL, m.URL)
	e.strings(KeyHeaders, m.Headers)
	e.str(KeyCredential, m.Credential)
	e.int(KeySeconds, m.Seconds)
}

// HMACRequest is the request of HostHMAC. The key is Key, or the secret of that name.
type HMACRequest struct {
	Key    Handle `json:"key,omitempty"`
	Secret string `json:"secret,omitempty"`
	Alg    string `json:"alg,omitempty"`
	Data   []byte `json:"data,omitempty"`
}

func (m *HMACRequest) reset() { *m = HMACRequest{} }

func (m *HMACRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyKey:
		m.Key = Handle(d.size())
	case KeySecret:
		m.Secret = d.str()
	case KeyAlg:
		m.Alg = d.str()
	case KeyData:
		m.Data = d.bin(nil)
	default:
		return false
	}
	return true
}

func (m *HMACRequest) put(e *encoder) {
	e.begin(m.Key != 0, m.Secret != "", m.Alg != "", len(m.Data) > 0)
	e.int(KeyKey, int64(m.Key))
	e.str(KeySecret, m.Secret)
	e.str(KeyAlg, m.Alg)
	e.bin(KeyData, m.Data)
}

// HMACReply is the reply of HostHMAC.
type HMACReply struct {
	Key Handle `json:"key,omitempty"`
}

func (m *HMACReply) reset() { *m = HMACReply{} }

func (m *HMACReply) field(d *decoder, key []byte) bool {
	if string(key) != KeyKey {
		return false
	}
	m.Key = Handle(d.size())
	return true
}

func (m *HMACReply) put(e *encoder) {
	e.begin(m.Key != 0)
	e.int(KeyKey, int64(m.Key))
}

// SecretRequest is the request of HostSecret.
type SecretRequest struct {
	Name string `json:"name,omitempty"`
}

func (m *SecretRequest) reset() { *m = SecretRequest{} }

func (m *SecretRequest) field(d *decoder, key []byte) bool {
	if string(key) != KeyName {
		return false
	}
	m.Name = d.str()
	return true
}

func (m *SecretRequest) put(e *encoder) {
	e.begin(m.Name != "")
	e.str(KeyName, m.Name)
}

// SecretReply is the reply of HostSecret.
type SecretReply struct {
	Data []byte `json:"data,omitempty"`
}

func (m *SecretReply) reset() { *m = SecretReply{} }

func (m *SecretReply) field(d *decoder, key []byte) bool {
	if string(key) != KeyData {
		return false
	}
	m.Data = d.bin(nil)
	return true
}

func (m *SecretReply) put(e *encoder) {
	e.begin(len(m.Data) > 0)
	e.bin(KeyData, m.Data)
}
