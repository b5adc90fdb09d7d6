package main

import (
	"strings"

	"github.com/prometheus/procfs"
)

// cpuModel names the CPU, if the kernel does.
func cpuModel(fs procfs.FS) string {
	cpus, err := fs.CPUInfo()
	if err != nil || len(cpus) == 0 {
		return ""
	}
	return strings.TrimSpace(cpus[0].ModelName)
}
