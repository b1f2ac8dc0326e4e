module follow

go 1.19

require github.com/exhost/exhost/bindings/go v0.0.0

replace github.com/exhost/exhost/bindings/go => ../../go
