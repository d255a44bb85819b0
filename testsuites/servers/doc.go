// Package servers starts real servers for tests, each by the script of this folder that bears its name, on a free
// port of loopback and with a folder of its own, and ends them with the test.
package servers
