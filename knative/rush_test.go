package knative_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// bounding reports a Job without a deadline, one that is retried, and one that does not
// set its target, users, rate and duration.
func bounding(s set) (faults []error) {
	for _, j := range all[batchv1.Job](s) {
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("Job "+j.Name+": "+format, args...))
		}
		if j.Spec.ActiveDeadlineSeconds == nil {
			fault("it has no deadline")
		}
		if j.Spec.BackoffLimit == nil || *j.Spec.BackoffLimit != 0 || j.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
			fault("it is retried after a failure")
		}
		for _, c := range j.Spec.Template.Spec.Containers {
			for _, flag := range []string{"-url=", "-users=", "-rate=", "-duration="} {
				if !slices.ContainsFunc(c.Args, func(arg string) bool { return strings.HasPrefix(arg, flag) }) {
					fault("%s is not set", flag)
				}
			}
		}
	}
	return faults
}

// rush accepts the Job's flags, and fails because nothing listens at its target.
func TestRushJob_HasValidFlags(t *testing.T) {
	t.Parallel()
	jobs := all[batchv1.Job](rendering(t, rush))
	require.Len(t, jobs, 1)
	c := jobs[0].Spec.Template.Spec.Containers[0]
	require.Empty(t, c.Command, "the image's entry point is rush")
	args := slices.Clone(c.Args)
	for i, arg := range args {
		if strings.HasPrefix(arg, "-url=") {
			args[i] = "-url=http://127.0.0.1:1"
		}
	}
	program := filepath.Join(t.TempDir(), "rush")
	out, err := exec.Command("go", "build", "-C", "..", "-o", program, "./functions/cmd/rush").CombinedOutput()
	require.NoError(t, err, string(out))
	for _, more := range [][]string{nil, {"-put", "-delete"}} { // the comments name the others
		cmd := exec.Command(program, append(args, more...)...)
		cmd.Env = []string{"KUBERNETES_SERVICE_HOST=10.0.0.1"}
		out, _ = cmd.CombinedOutput()
		require.Equal(t, 2, cmd.ProcessState.ExitCode(), string(out))
		require.Contains(t, string(out), "http://127.0.0.1:1 returns no seat map")
	}
}

// The Job sends the token that the pods of the service read.
func TestRushJob_SendsTheSellersToken(t *testing.T) {
	t.Parallel()
	c := all[batchv1.Job](rendering(t, rush))[0].Spec.Template.Spec.Containers[0]
	i := slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "SELLER_TOKEN" })
	require.GreaterOrEqual(t, i, 0)
	ref := c.Env[i].ValueFrom.SecretKeyRef
	require.Equal(t, "booking-seller", ref.Name)
	require.Equal(t, "token", ref.Key)
	require.True(t, *ref.Optional, "a service without roles needs no Secret")
}
