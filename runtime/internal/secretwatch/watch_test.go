package secretwatch

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestPlantedSecretsAreReported(t *testing.T) {
	w := New(map[string]string{"the token": "token-4711", "a short one": "abc"})
	w.Memory(append(make([]byte, 1<<16), base64.StdEncoding.EncodeToString([]byte("x token-4711 y"))...))
	_, _ = fmt.Fprintf(w, "a line with token-4711 in it")
	w.Error(nil)
	w.Error(errors.New("a clean one, abc"))
	w.Look("the rest", []byte("another-4711"))
	w.Add("another", "another-4711")
	w.Look("the rest", []byte("another-4711"))
	found, looks := w.Found()
	want := []string{"linear memory holds the token as base64 at 65539", "the log holds the token as raw at 12", "the rest holds another as raw at 0"}
	if !slices.Equal(found, want) || looks != 5 {
		t.Errorf("after %d looks: %q, want %q", looks, found, want)
	}
}
