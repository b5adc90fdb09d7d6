// Package client is the client that oapi-codegen generates. `.ci/run openapi` generates it in a copy of this folder.
package client

import _ "github.com/oapi-codegen/runtime" // what the generated code imports, so that go.mod has it
