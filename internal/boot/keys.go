package boot

import (
	"fmt"
	"io"

	"ccms/internal/datadir"
)

// KeysInit makes the keys of a deployment of several processes in a folder
// (decision F6): login.key and creditcard.key, one for all instances of each
// service, and internal for every process. It replaces nothing: what is sealed
// under a key is lost with it.
func KeysInit(folder string, out io.Writer) error {
	if err := datadir.NewKeys(folder); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, `made %[1]s/login.key, %[1]s/creditcard.key and %[1]s/internal; keep copies where only you are

  ccms login       --keyring.url file:%[1]s/login.key --internal.credential-file %[1]s/internal
  ccms creditcard  --keyring.url file:%[1]s/creditcard.key --internal.credential-file %[1]s/internal
  ccms eureka      --internal.credential-file %[1]s/internal
  ccms portal      --internal.credential-file %[1]s/internal
`, folder)
	return err
}
