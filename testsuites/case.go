package testsuites

import "slices"

// Case is one case of the suite.
type Case struct {
	// ID identifies it: a group, "/", and a name. Identifiers are never given to another case.
	ID string
	// Summary says in one line what must hold.
	Summary string
}

// Cases returns every case, in the order they run in.
func Cases() []Case {
	var list []Case
	for _, s := range scenarios() {
		list = append(list, Case{ID: s.id, Summary: s.summary})
	}
	return list
}

// scenario is a case with the code that decides it.
type scenario struct {
	id      string
	summary string
	run     func(e *env)
}

// scenarios is the suite.
func scenarios() []scenario {
	return slices.Concat(
		driverCases(), pathCases(), contentCases(), readerCases(), statCases(), listCases(), walkCases(),
		moveCases(), deleteCases(), redirectCases(), errorCases(), contextCases(),
		streamCases(), writerCases(), visibilityCases(), appendCases(), suspendCases(), endingCases(), cancelCases(),
		raceCases(), concurrentCases(),
		walkRegistryCases(), manyCases(), kindCases(), midwayCases(), contractCases(), budgetCases(),
	)
}
