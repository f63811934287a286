// Package e2e holds tests only: it builds the real binary, starts it with
// "ccms up" on free ports and walks the contract over real sockets. The
// stories in testdata are plain text; script_test.go says what their words do.
package e2e
