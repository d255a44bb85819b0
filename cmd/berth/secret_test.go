package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// onlySecret fails unless the secret is all there is in dir, and nobody else can read it.
func onlySecret(t *testing.T, dir, want string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != secretFile {
		t.Fatalf("want %s alone, got %v, %v", secretFile, entries, err)
	}
	path := filepath.Join(dir, secretFile)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("want mode 0600, got %v, %v", info.Mode(), err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("want %q kept, got %q, %v", want, got, err)
	}
}

func TestSecretIsOneForAllWhoStartAtOneTime(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	secrets := make([]string, 16)
	for i := range secrets {
		group.Go(func() {
			var err error
			if secrets[i], err = secretIn(dir); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, s := range secrets {
		if s != secrets[0] || len(s) < 20 {
			t.Fatalf("want one long secret, got %q", secrets)
		}
	}
	onlySecret(t, dir, secrets[0])
}

func TestSecretOfAnEarlierStartIsKept(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, secretFile), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := secretIn(dir)
	if err != nil || got != "kept" {
		t.Errorf("want the kept secret, got %q, %v", got, err)
	}
}

// TestEmptySecretIsReplaced has a file that a crash left empty.
func TestEmptySecretIsReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, secretFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := secretIn(dir)
	if err != nil || got == "" {
		t.Fatalf("want a secret, got %q, %v", got, err)
	}
	onlySecret(t, dir, got)
}
