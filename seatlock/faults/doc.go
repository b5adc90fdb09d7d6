// Package faults has only tests. They show which faults the seats survive: a load of
// buyers runs over real Redis processes while a test kills them, cuts their connections,
// moves their slots, fills their memory or flushes their scripts. Package oracle checks
// every answer; the linearizability checker porcupine checks short histories.
//
// In go test ./... each test takes a few seconds. For a long run that prints what each
// test tried and lost:
//
//	go test ./seatlock/faults -v -timeout 0 -budget 30m
//
// -seed repeats the random choices of an earlier run, though not its timing. A failed test
// saves its history and findings in a directory, and logs its name. With -artifacts
// -outputdir DIR the directory is below DIR.
package faults
