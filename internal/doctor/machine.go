package doctor

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sys/unix"

	"ccms/internal/datadir"
	"ccms/internal/patience"
)

// checkData tolerates that there is none: the first start makes it.
func checkData(path string) Finding {
	f := Finding{Check: "data", Says: path + " is ours alone"}
	if _, err := os.Stat(path); err != nil {
		f.OK, f.Says = true, path+" does not exist yet; ccms up makes it"
		return f
	}
	if err := datadir.Check(path); err != nil {
		f.Says = err.Error()
		return f
	}
	f.OK = true
	return f
}

// checkKeys tolerates that there are none: the first start makes them.
func checkKeys(dir *datadir.Dir) Finding {
	f := Finding{Check: "keys", OK: true, Says: "root keys and internal credential are there and readable by us alone"}
	for _, name := range datadir.KeyFiles() {
		info, err := os.Stat(dir.File("keys", name))
		switch {
		case err != nil:
			f.Says = "no keys yet; ccms up makes them"
			return f
		case info.Mode().Perm()&0o077 != 0:
			return Finding{Check: "keys", Says: "others may read " + name, Advice: "chmod 600 " + dir.File("keys", name)}
		}
	}
	return f
}

// minFree is what a day of writes and a checkpoint need at least.
const minFree = 256 << 20

func checkSpace(path string) Finding {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		if err := unix.Statfs(".", &st); err != nil {
			return Finding{Check: "disk", Says: "cannot tell the free space", Advice: err.Error()}
		}
	}
	free := st.Bavail * uint64(st.Bsize)
	f := Finding{Check: "disk", OK: free >= minFree, Says: fmt.Sprintf("%d MiB free", free>>20)}
	if !f.OK {
		f.Advice = "free at least 256 MiB, or name another folder with --data"
	}
	return f
}

// affordable is how long one hash may take for a login to feel quick.
const affordable = 250 * time.Millisecond

// checkHash says which bcrypt cost this machine can afford (decision B6).
func checkHash(cost int) Finding {
	start := time.Now()
	if _, err := bcrypt.GenerateFromPassword([]byte("measure this machine"), cost); err != nil {
		return Finding{Check: "bcrypt", Says: "cannot hash", Advice: err.Error()}
	}
	one := time.Since(start)
	slots := max(1, runtime.GOMAXPROCS(0)-1)
	best := cost
	for took := one; best < 15 && took*2 <= affordable; took *= 2 {
		best++
	}
	f := Finding{Check: "bcrypt", OK: one <= patience.Times*4*affordable}
	f.Says = fmt.Sprintf("cost %d takes %d ms, about %.0f logins/s with %d slots; ", cost, one.Milliseconds(), float64(slots)/one.Seconds(), slots)
	if one > affordable {
		f.Says += fmt.Sprintf("a login feels quick below %d ms", affordable.Milliseconds())
	} else {
		f.Says += fmt.Sprintf("cost %d is the highest that stays below %d ms", best, affordable.Milliseconds())
	}
	if !f.OK {
		f.Advice = "lower login.bcrypt-cost if it is above 10, or give the machine more processor"
	}
	return f
}

func checkAddresses(all []string) Finding {
	for _, addr := range all {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return Finding{Check: "ports", Says: addr + " is taken", Advice: "stop what listens there, or choose another address (port 0 picks a free one)"}
		}
		_ = l.Close()
	}
	return Finding{Check: "ports", OK: true, Says: "all four addresses are free"}
}
