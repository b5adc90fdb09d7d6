// Package mutation has only tests. They break the scripts of package seatlock, one line at a
// time, and show that its tests fail for each broken script.
//
// The package is apart from package faults because both take minutes, and go test limits the time
// of each package.
package mutation
