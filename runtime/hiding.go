package runtime

import (
	"slices"
	"sync/atomic"

	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
)

// hiding takes secrets out of a guest's texts before they are logged or put in errors: those of its parameters, the
// operator's by name, and what its credentials hold at that time. A nil hiding hides nothing. It may be used concurrently.
type hiding struct {
	fixed   guest.Secrets
	signers []sign.Signer
	last    atomic.Pointer[hidden]
}

type hidden struct {
	secrets []string // of the signers
	all     guest.Secrets
}

// hiding is for a driver with these secret parameters.
func (m *Module) hiding(parameters guest.Secrets) *hiding {
	h := &hiding{fixed: parameters}
	for _, s := range m.cfg.Secrets {
		h.fixed = h.fixed.With(s.Value)
	}
	for i := range m.cfg.Allow {
		if s := m.cfg.Allow[i].Credential.Signer; s != nil {
			h.signers = append(h.signers, s)
		}
	}
	return h
}

func (h *hiding) now() guest.Secrets {
	if h == nil {
		return guest.Secrets{}
	}
	if len(h.signers) == 0 {
		return h.fixed
	}
	var secrets []string
	for _, s := range h.signers {
		secrets = append(secrets, s.Secrets()...)
	}
	if l := h.last.Load(); l != nil && slices.Equal(l.secrets, secrets) {
		return l.all
	}
	l := &hidden{secrets, h.fixed.With(secrets...)}
	h.last.Store(l)
	return l.all
}

// Hide is guest.Secrets.Hide, and so on.
func (h *hiding) Hide(s string) string { return h.now().Hide(s) }

func (h *hiding) Clean(s string, n int) string { return h.now().Clean(s, n) }

func (h *hiding) CleanLines(s string, n int) string { return h.now().CleanLines(s, n) }
