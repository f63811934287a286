//go:build !cloud

package upload

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func TestThisBuildHasNoCloudStorage(t *testing.T) {
	_, err := Open(t.Context(), Config{URL: "s3://bucket?region=eu-central-1"})
	if !errors.Is(err, ErrNoCloud) || !strings.Contains(err.Error(), "build with -tags cloud") {
		t.Error(err)
	}
}

// TestThePlainBuildHasNoneOfTheProvidersCode would break if the packages behind
// the tag came in by another way: they take the binary from 33 to 68 MB.
func TestThePlainBuildHasNoneOfTheProvidersCode(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "ccms/cmd/ccms").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(out))
	if len(all) < 200 {
		t.Fatalf("only %d packages", len(all))
	}
	for _, p := range all {
		for _, theirs := range []string{"gocloud.dev", "cloud.google.com", "github.com/aws", "github.com/Azure", "google.golang.org/grpc", "google.golang.org/api"} {
			if strings.HasPrefix(p, theirs) {
				t.Errorf("%s is in it", p)
			}
		}
	}
}
