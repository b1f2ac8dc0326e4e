module github.com/exhost/exhost/bindings/go

go 1.19
