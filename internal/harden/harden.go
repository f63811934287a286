// Package harden owns what a process does against those who read its memory
// from outside. What it does not do is wipe secrets: whoever holds them does.
package harden
