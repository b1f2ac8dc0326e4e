--- The shapes that are written down by hand are those of the engines' own descriptions, where these
-- are: beside the project, not in it.

local json = require "exhost.json"
local published = require "support.shapes.published"
local shapes = require "support.shapes.docker"

local API = "../shared/api/docker-engine-"

describe("docker: the shapes", function()
  for _, version in ipairs { "1.41", "1.51" } do
    it("are those that API " .. version .. " tells of", function()
      local file = io.open(API .. version .. ".json", "rb")
      if not file then return pending("there is no " .. API .. version .. ".json") end
      local text = file:read("*a")
      file:close()
      assert.same({}, published.differences(shapes, text))
    end)
  end

  it("would be told apart from others", function()
    local api = { info = { version = "1.41" }, definitions = { Part = { type = "object",
      required = { "B" }, properties = { A = { type = "string" }, B = { type = "integer" } } } },
      paths = { ["/a"] = { post = { parameters = {
        { ["in"] = "query", name = "q", type = "integer", required = true },
        { ["in"] = "query", name = "f", type = "string", description = "`label=<key>`" },
        { ["in"] = "body", name = "body", schema = { allOf = { { ["$ref"] = "#/definitions/Part" },
          { type = "object", properties = { C = { type = "array", items = { type = "string" } },
            D = { type = "object", additionalProperties = { type = "string" } } } } } } } } } } } }
    local form = { from = "1.42", form = "string" }
    assert.same({
      "GET /a: is not there", "GET /b: is not there",
      "POST /a body.A: is of type string", "POST /a body.B: is required there",
      "POST /a body.C[]: is of type string", "POST /a body.D: is of type object",
      "POST /a body.E: is not there", "POST /a f.name: is not there",
      "POST /a q: is of type integer", "POST /a q: is there in 1.41 already",
      "POST /a.q: is required there",
    }, published.differences({
      { "GET /a" }, { "GET /b" },
      { "POST /a", query = { q = "bool", f = { filters = { name = true } } }, must = { "q" },
        body = { record = { A = "integer", B = "integer", C = { list = "integer" },
          D = { list = "string" }, E = "string", F = form } } },
      { "POST /a", query = { q = form }, body = { record = {}, must = { "B" } } },
    }, assert(json.encode(api))))
  end)
end)
