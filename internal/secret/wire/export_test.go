package wire

import "net"

// Below is the connection that Securing puts below TLS.
func Below(c net.Conn) net.Conn { return below(c) }
