package testsuites

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRecorderGivesUpOnWhatNeverReturns(t *testing.T) {
	release := make(chan struct{})
	returned := make(chan struct{})
	var got CaseResult
	root := &recorder{ctx: t.Context(), patience: 20 * time.Millisecond, ended: func(c CaseResult) { got = c }}
	if root.Run("stuck", func(T) { defer close(returned); <-release }) {
		t.Errorf("Run: want false, got true")
	}
	if got.Status != Fail || !strings.Contains(got.Reason, "has not returned") {
		t.Errorf("want a failure that says so, got %+v", got)
	}
	close(release)
	<-returned
}

func TestRecorderRunsCleanupsBackwards(t *testing.T) {
	var order []string
	var got CaseResult
	root := &recorder{ctx: t.Context(), patience: time.Minute, ended: func(c CaseResult) { got = c }}
	root.Run("case", func(t T) {
		t.Cleanup(func() {
			order = append(order, "first")
			if t.Context().Err() == nil {
				t.Errorf("want the context to have ended before the cleanups")
			}
		})
		t.Cleanup(func() { order = append(order, "second"); panic("on purpose") })
		t.Errorf("wrong: %d", 1)
		t.Fatalf("wrong: %d", 2)
	})
	if !slices.Equal(order, []string{"second", "first"}) {
		t.Errorf("cleanups: want second, first, got %q", order)
	}
	if got.ID != "case" || got.Status != Fail || !strings.HasPrefix(got.Reason, "wrong: 1\nwrong: 2\npanic: on purpose") {
		t.Errorf("want all three failures, got %+v", got)
	}
}

func TestRecorderNestsTests(t *testing.T) {
	var got []CaseResult
	root := &recorder{ctx: t.Context(), patience: time.Minute, ended: func(c CaseResult) { got = append(got, c) }}
	root.Run("outer", func(t T) {
		t.Run("inner", func(t T) { t.Fatalf("wrong in %s", t.Name()) })
	})
	if len(got) != 1 || got[0].Status != Fail || !strings.Contains(got[0].Reason, "wrong in outer/inner") {
		t.Errorf("want the outer test to fail for the inner, got %+v", got)
	}
}
