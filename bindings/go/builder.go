package exhost

// EngineBuilder puts an EngineSpec together. Packages docker, firecracker and process begin one.
type EngineBuilder struct {
	spec *SpecConfig
}

// NewEngineBuilder begins a spec for a backend.
func NewEngineBuilder(backend string) *EngineBuilder {
	return &EngineBuilder{spec: NewSpecConfig(backend)}
}

// With sets any parameter of the backend.
func (b *EngineBuilder) With(key string, value any) *EngineBuilder {
	b.spec.WithParam(key, value)
	return b
}

// WithEntrypoint sets what comes before the command's words.
func (b *EngineBuilder) WithEntrypoint(words ...string) *EngineBuilder {
	return b.With("entrypoint", words)
}

// WithCmd sets the command's words.
func (b *EngineBuilder) WithCmd(words ...string) *EngineBuilder {
	return b.With("cmd", words)
}

// WithEnvironment sets variables, each KEY=VALUE.
func (b *EngineBuilder) WithEnvironment(variables ...string) *EngineBuilder {
	return b.With("environment", variables)
}

// WithWorkingDirectory sets the folder that the command starts in.
func (b *EngineBuilder) WithWorkingDirectory(path string) *EngineBuilder {
	return b.With("working_directory", path)
}

// WithUser sets the user that the command runs as.
func (b *EngineBuilder) WithUser(user string) *EngineBuilder {
	return b.With("user", user)
}

// Build gives the spec.
func (b *EngineBuilder) Build() *SpecConfig {
	b.spec.Normalize()
	return b.spec
}
