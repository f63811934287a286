package wire

import "net"

// Records is the connection Securing puts below TLS.
func Records(c net.Conn) net.Conn { return &records{Conn: c} }
