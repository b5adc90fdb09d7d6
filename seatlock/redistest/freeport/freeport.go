// Package freeport reserves TCP ports for servers that start later.
//
// On Linux a reserved port stays free for its server, also after a crash of the server: a
// socket is bound to the port, and the kernel then assigns it to no other listener and no
// outgoing connection. A server that names the port and sets SO_REUSEADDR, as those of Go
// and Redis do, can still listen on it (socket(7)). Other systems allow no server beside
// the socket. There Reserve only finds a port that is free now.
package freeport
