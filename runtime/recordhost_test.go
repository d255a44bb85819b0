package runtime

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/engine"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

// renewing is a signer whose token there is only once it has been asked for.
type renewing struct {
	sign.Signer
	token string
}

func (s *renewing) Secrets() []string { return []string{s.token} }

// flat is a memory of a fixed size.
type flat []byte

func (m flat) Read(offset, n uint32) ([]byte, bool) {
	if uint64(offset)+uint64(n) > uint64(len(m)) {
		return nil, false
	}
	return m[offset : offset+n], true
}

func transcribed(secrets map[string]Secret, s sign.Signer) *recording {
	cfg := Config{Secrets: secrets, Allow: []egress.Rule{{Credential: egress.Credential{Signer: s}}}}
	r := &recording{to: trace.New(nil, trace.Options{Lines: 10}), d: &driver{m: &Module{cfg: cfg}}, number: 1}
	r.redactor = r.to.Redactor(r.d.allSecrets())
	return r
}

// TestATokenOfThisVeryCallIsNotRecorded: the first request of a call has the credential's token fetched, and a server may show it.
func TestATokenOfThisVeryCallIsNotRecorded(t *testing.T) {
	const token = "tok-4711-abcdefgh"
	s := &renewing{}
	r := transcribed(nil, s)
	mem := make(flat, 1024)
	call := engine.HostFunc{Module: abi.Module, Name: abi.ImportCall, Call: func(_ context.Context, mem engine.Memory, stack []uint64) {
		s.token = token
		reply, err := abi.Append(nil, &abi.Error{Kind: 1, Message: "the server says " + token + " " + hex.EncodeToString([]byte(token))})
		if err != nil {
			panic(err)
		}
		out := view(mem, stack[3], stack[4])
		stack[0] = uint64(copy(out, reply))
	}}
	for range 5 {
		call.Type.Params = append(call.Type.Params, engine.I32)
	}
	call.Type.Results = []engine.ValueType{engine.I64}
	r.host(call, t.Context(), mem, []uint64{uint64(abi.HostMetric), 0, 1, 512, 512})
	said := r.to.Transcript()
	if !strings.Contains(said, "the server says") || strings.Contains(said, token) || strings.Contains(said, hex.EncodeToString([]byte(token))) {
		t.Errorf("got %q", said)
	}
}

// TestASecretAtTheEndOfAHeadIsNotTranscribed, whatever its form: a transcript has but the beginning of what is written.
func TestASecretAtTheEndOfAHeadIsNotTranscribed(t *testing.T) {
	const secret = "tok-4711-abcdefgh"
	r := transcribed(map[string]Secret{"one": {Value: secret}}, &renewing{})
	form := hex.EncodeToString([]byte(secret))
	for n := range saidHead {
		head := fmt.Sprintf("%*s", n, "") + form
		head += strings.Repeat(" ", 2*saidHead)
		got := string(r.said([]byte(head), saidHead).Data)
		if len(got) != saidHead {
			t.Fatalf("%d bytes, want %d", len(got), saidHead)
		}
		if shown := strings.TrimSpace(got); len(shown) >= 8 && strings.HasPrefix(form, shown) {
			t.Errorf("behind %d bytes: %q is shown", n, shown)
		}
	}
}

// nowhere takes a trace that nobody reads.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }

func (nowhere) Close() error { return nil }

// TestARecordingThatHasEndedCostsNothing: its instances go on for long, on the memory itself and with nothing in between.
func TestARecordingThatHasEndedCostsNothing(t *testing.T) {
	to := trace.New(nowhere{}, trace.Options{})
	in := &instance{rec: &recording{to: to, d: &driver{m: &Module{}}, number: 1, file: true}}
	direct := false
	f := recordedFunctions([]engine.HostFunc{{Module: abi.Module, Name: abi.ImportNow, Call: func(_ context.Context, mem engine.Memory, _ []uint64) {
		_, direct = mem.(flat)
	}}})[0]
	for _, ended := range []bool{false, true} {
		if ended {
			if err := to.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if f.Call(&callContext{Context: t.Context(), in: in}, make(flat, 16), nil); direct != ended {
			t.Errorf("ended %t: the function was given the memory itself: %t", ended, direct)
		}
	}
}
