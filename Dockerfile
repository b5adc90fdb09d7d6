# One image for all functions. FUNCTION_TARGET selects one function; unset, it serves all of them.
# --target rush builds a second image with the on-sale simulation. Both in one would double its size.
ARG GO_IMAGE=docker.io/library/golang:1.26.8-bookworm
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot

FROM ${GO_IMAGE} AS build
WORKDIR /src
# Modules have their own layer, so a code change downloads nothing.
COPY go.mod go.sum ./
RUN go mod download
COPY seatlock seatlock
COPY functions functions
ARG VERSION=unversioned
RUN --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /booking ./functions/cmd/booking

FROM build AS build-rush
RUN --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /rush ./functions/cmd/rush

FROM ${BASE_IMAGE} AS rush
COPY --from=build-rush /rush /rush
USER 65532:65532
ENTRYPOINT ["/rush"]

FROM ${BASE_IMAGE}
COPY --from=build /booking /booking
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/booking"]
