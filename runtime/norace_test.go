//go:build !race

package runtime_test

const deathStride = 1
