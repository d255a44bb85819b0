package sign

import "net/http"

// Rejecter is a Signer whose tokens may end before their time, as when a server forgets them. Whoever gets
// 401 to a request that was signed tells it: if the token of req is still the one in use, the next Sign gets another. A token
// younger than a minute is kept, so that a caller who provokes 401s does not cause a request for a token with each. It
// may be called concurrently, and does not wait.
type Rejecter interface {
	Signer
	Rejected(req *http.Request)
}
