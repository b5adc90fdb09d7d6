//go:build !linux

package main

import "github.com/prometheus/procfs"

// cpuModel is empty: procfs reads the CPU on Linux alone.
func cpuModel(procfs.FS) string { return "" }
