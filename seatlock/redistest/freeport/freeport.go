// Package freeport reserves TCP ports for servers that start later.
//
// Linux gives a port that a socket is bound to neither to another listener nor to an
// outgoing connection, yet a server that names the port and sets SO_REUSEADDR, as those
// of Go and Redis do, may listen on it (socket(7)), and again after a crash. Other
// systems let no server beside the socket, so there a port is only looked for.
package freeport
