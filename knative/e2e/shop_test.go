//go:build e2e

package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

const sinkSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// listen listens at an address of this machine that the pods reach, on a free port.
func (c *cluster) listen() net.Listener {
	c.t.Helper()
	host := *here
	if host == "" { // the one from which this machine reaches the node
		node := c.kubectl("get", "nodes", "-o", `jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}`)
		conn, err := net.Dial("udp", net.JoinHostPort(node, "9"))
		require.NoError(c.t, err)
		host = conn.LocalAddr().(*net.UDPAddr).IP.String()
		require.NoError(c.t, conn.Close())
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	require.NoError(c.t, err)
	return l
}

// expose makes a listener of this machine a Service of the cluster.
func (c *cluster) expose(name string, port int, l net.Listener) {
	c.t.Helper()
	addr := l.Addr().(*net.TCPAddr)
	out, err := c.try(fmt.Sprintf(`
{apiVersion: v1, kind: Service, metadata: {name: %[1]s}, spec: {ports: [{name: p, port: %[2]d, targetPort: %[4]d}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %[1]s, labels: {kubernetes.io/service-name: %[1]s}}
addressType: IPv4
endpoints: [{addresses: ["%[3]s"]}]
ports: [{name: p, port: %[4]d}]
`, name, port, addr.IP, addr.Port), "apply", "-f", "-")
	require.NoError(c.t, err, out)
}

// shop is the sink of the relay.
type shop struct {
	t *testing.T

	mu   sync.Mutex
	last map[string]string   // by event: the sequence of the last change
	ids  map[string][]string // by event: of the changes, in the order of their first arrival
}

// openShop starts a shop on this machine, as the Service shop.
func (c *cluster) openShop() *shop {
	c.t.Helper()
	s := &shop{t: c.t, last: map[string]string{}, ids: map[string][]string{}}
	l := c.listen()
	server := &http.Server{Handler: s}
	go func() { _ = server.Serve(l) }()
	c.t.Cleanup(func() { _ = server.Close() })
	c.expose("shop", 80, l)
	return s
}

func (s *shop) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the relay is gone
	}
	webhook, err := standardwebhooks.NewWebhook(sinkSecret)
	if err == nil {
		err = webhook.Verify(body, req.Header)
	}
	if err != nil {
		s.t.Errorf("signature: %v", err)
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	e, err := cehttp.NewEventFromHTTPRequest(req)
	if err != nil {
		s.t.Errorf("event: %v", err)
		return
	}
	s.receive(*e)
}

func (s *shop) receive(e cloudevent.Event) {
	sequence, _ := e.Extensions()["sequence"].(string)
	s.mu.Lock()
	defer s.mu.Unlock()
	if sequence > s.last[e.Subject()] {
		s.last[e.Subject()] = sequence
		s.ids[e.Subject()] = append(s.ids[e.Subject()], e.ID())
	}
}

// received returns the IDs of the changes of an event.
func (s *shop) received(event string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.ids[event]...)
}

// journal returns the IDs of all changes of an event.
func (c caller) journal(event string) (ids []string) {
	c.t.Helper()
	for after := "0"; ; after = ids[len(ids)-1] {
		status, text := c.get("/journal?limit=10000&event_id=" + event + "&after=" + after)
		require.Equal(c.t, http.StatusOK, status, "%s", text)
		if len(text) == 0 {
			return ids
		}
		for line := range strings.Lines(text) {
			var change struct{ ID string }
			require.NoError(c.t, json.Unmarshal([]byte(line), &change))
			ids = append(ids, change.ID)
		}
	}
}
