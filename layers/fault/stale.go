package fault

import "sync"

// maxAnswers is how many questions' answers are kept: more directories than a test lists, and
// some 100 MB of full pages at the worst.
const maxAnswers = 1000

// question is what Stat, List, ListTree or ListUploads was asked.
type question struct {
	op                       operation
	path, startAfter, cursor string
	limit                    int
}

type reply struct {
	answer any
	err    error
}

// answers holds the last true answer to each question. It may be used concurrently.
type answers struct {
	mu   sync.Mutex
	last map[question]reply
}

func newAnswers() *answers { return &answers{last: map[question]reply{}} }

// exchange keeps r and returns the answer before, if there was one.
func (a *answers) exchange(q question, r reply) (past reply, there bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	past, there = a.last[q]
	if there || len(a.last) < maxAnswers {
		a.last[q] = r
	}
	return past, there
}
