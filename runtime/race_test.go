//go:build race

package runtime_test

// deathStride leaves two of three deaths to runs without the race detector, under which loading a module takes a second.
const deathStride = 3
