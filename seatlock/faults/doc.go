// Package faults holds no code, only the tests that show what seats survive: crowds
// of buyers over real Redis processes, while those are killed, cut off, moved, filled
// and made to forget their scripts. What every call was answered is judged by package
// oracle, and short histories by the linearizability checker porcupine.
//
// With go test ./... each takes a few seconds. For long, and with what was tried and
// lost printed at the end of each:
//
//	go test ./seatlock/faults -v -timeout 0 -budget 30m
//
// -seed repeats the choices of an earlier run, though not its timing. A failure keeps
// its history and its findings, below -artifacts -outputdir where these are given, and
// says where.
package faults
