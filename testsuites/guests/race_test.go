//go:build race

package guests

// underRace leaves some of the combinations of long tests to the runs without the race detector, which make test-servers has.
const underRace = true
