package sales

import (
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"booking/functions/internal/api"
)

// wantsCSV reports whether the request asks for CSV: by its parameter format, or because its
// Accept prefers text/csv to application/x-ndjson. The error is a *Problem.
func wantsCSV(r *http.Request, query url.Values) (bool, error) {
	if query.Has("format") {
		if query.Get("format") != "csv" {
			return false, api.Invalid("format must be csv; omit it for application/x-ndjson.")
		}
		return true, nil
	}
	accept := strings.Join(r.Header.Values("Accept"), ",")
	return weight(accept, "text/csv") > weight(accept, "application/x-ndjson"), nil
}

// weight returns the weight of a media type in Accept, 0 if it is not named.
func weight(accept, mediaType string) float64 {
	for part := range strings.SplitSeq(accept, ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil || name != mediaType {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil {
			return 1
		}
		return q
	}
	return 0
}
