-- The built-in renderer's one filter: what Quarto adds to pandoc, for HTML and Typst alike.
--
-- Order matters. Hidden content and callouts go first (a callout's heading is its title, not a
-- section); then floats, equations and sections are numbered from top to bottom; then references
-- are resolved, which must be done before citeproc takes "@fig-x" for a missing citation.
--
-- A fault that the reader of the paper could not see is reported on stderr as "problem: ...".

local HTML = FORMAT:match("^html") ~= nil
local RAW = HTML and "html" or "typst"
local NBSP = "\u{a0}"
local stringify = pandoc.utils.stringify

-- Quarto's words. Callouts stay English in HTML, as Quarto has them without a theme.
local WORDS = {
  en = { fig = "Figure", tbl = "Table", lst = "Listing", eq = "Equation", sec = "Section" },
  de = { fig = "Abbildung", tbl = "Tabelle", lst = "Listing", eq = "Gleichung", sec = "Kapitel" },
}
local CALLOUTS = {
  note = "Note", tip = "Tip", warning = "Warning", important = "Important", caution = "Caution",
}
local CALLOUT_KINDS = {
  nte = "Note", tip = "Tip", wrn = "Warning", imp = "Important", cau = "Caution",
}
local FLOATS = { fig = true, tbl = true, lst = true }

local words = WORDS.en
local above = { fig = false, tbl = true, lst = true } -- where the caption stands
local index = {} -- label -> { kind, number, parent }
local counters = {}

local function problem(text)
  io.stderr:write("problem: " .. text .. "\n")
end

local function raw(text)
  return pandoc.RawBlock(RAW, text)
end

local function raw_inline(text)
  return pandoc.RawInline(RAW, text)
end

-- A label as a string literal: HTML attribute or Typst string.
local function quoted(text)
  if HTML then
    return '"' .. text:gsub("&", "&amp;"):gsub('"', "&quot;"):gsub("<", "&lt;") .. '"'
  end
  return '"' .. text:gsub("\\", "\\\\"):gsub('"', '\\"') .. '"'
end

local function kind_of(label)
  local kind = label:match("^(%a+)%-")
  return kind and kind:lower()
end

local function inlines_of(markdown)
  local blocks = pandoc.read(markdown, "markdown").blocks
  return pandoc.utils.blocks_to_inlines(blocks)
end

local function next_number(kind)
  counters[kind] = (counters[kind] or 0) + 1
  return tostring(counters[kind])
end

local function register(label, kind, number, parent)
  if index[label] then
    problem("the label '" .. label .. "' is used twice; every label needs a name of its own")
  end
  index[label] = { kind = kind, number = number, parent = parent }
end

-- 1. Options --------------------------------------------------------------------------------

local function read_options(meta)
  local lang = meta.lang and stringify(meta.lang):match("^%a+")
  words = setmetatable({}, { __index = WORDS[lang] or WORDS.en })
  words.prefix = setmetatable({}, { __index = words })
  for kind in pairs(WORDS.en) do
    local crossref = type(meta.crossref) == "table" and meta.crossref or {}
    local title, prefix = crossref[kind .. "-title"], crossref[kind .. "-prefix"]
    if prefix then words.prefix[kind] = stringify(prefix) end
    if title then
      words.prefix[kind] = rawget(words.prefix, kind) or words[kind]
      words[kind] = stringify(title)
    end
  end
  for kind in pairs(above) do
    local place = meta[kind .. "-cap-location"] or meta["cap-location"]
    if place then above[kind] = stringify(place) == "top" end
  end
end

-- 2. What is shown, and callouts ------------------------------------------------------------

local function matches(attributes, meta)
  local function is_format(name)
    return name == (HTML and "html" or "typst") or (HTML and name == "html:js")
  end
  local function is_true(path)
    local value = meta
    for key in path:gmatch("[^.]+") do
      value = type(value) == "table" and value[key] or nil
    end
    return value == true
  end
  local tests = {
    { "when-format", is_format, true }, { "unless-format", is_format, false },
    { "when-meta", is_true, true }, { "unless-meta", is_true, false },
  }
  for _, test in ipairs(tests) do
    local key, check, wanted = table.unpack(test)
    if attributes[key] and check(attributes[key]) ~= wanted then return false end
  end
  return true
end

-- The shown content of a conditional element, {} if it is hidden, nil if it is unconditional.
local function shown(el, meta)
  local hidden = el.classes:includes("content-hidden")
  if not hidden and not el.classes:includes("content-visible") then return nil end
  if matches(el.attributes, meta) == hidden then return {} end
  if el.t ~= "CodeBlock" then return el.content end
  el.classes = el.classes:filter(function(class) return not class:match("^content%-") end)
  for _, key in ipairs({ "when-format", "unless-format", "when-meta", "unless-meta" }) do
    el.attributes[key] = nil
  end
  return el
end

local function callout(div, walker)
  local kind
  for _, class in ipairs(div.classes) do
    local name = class:match("^callout%-(.+)$")
    if CALLOUTS[name or ""] then kind = name end
  end
  if not kind then return nil end
  local title
  if div.attributes.title then
    title = inlines_of(div.attributes.title)
  elseif div.content[1] and div.content[1].t == "Header" then
    title = div.content:remove(1).content
  end
  if not title or stringify(title) == "" then title = pandoc.Inlines(CALLOUTS[kind]) end

  local prefix = CALLOUT_KINDS[kind_of(div.identifier) or ""]
  if prefix then
    local number = next_number(kind_of(div.identifier))
    register(div.identifier, kind_of(div.identifier), number)
    title = pandoc.Inlines({ pandoc.Str(prefix .. NBSP .. number .. ":"), pandoc.Space() }) .. title
  end
  local head = pandoc.Para({ pandoc.Strong(title) })
  local body = div.content:walk(walker)
  if HTML then
    local attr = pandoc.Attr(div.identifier, { "callout", "callout-" .. kind })
    return pandoc.Blocks({ pandoc.Div(pandoc.Blocks({ head }) .. body, attr) })
  end
  local label = div.identifier ~= "" and quoted(div.identifier) or "none"
  local start = pandoc.Blocks({ raw('#callout("' .. kind .. '", ' .. label .. ")["), head, raw("][") })
  return start .. body .. pandoc.Blocks({ raw("]") })
end

-- A walk goes on below what a function returns, not through it: hence the walks by hand.
local function visibility(meta)
  local walker
  local function conditional(el) return shown(el, meta) end
  walker = {
    traverse = "topdown",
    Div = function(div)
      local content = shown(div, meta)
      if content then return pandoc.Blocks(content):walk(walker), false end
      local blocks = callout(div, walker)
      if blocks then return blocks, false end
    end,
    Span = conditional,
    CodeBlock = conditional,
  }
  return walker
end

-- 3. Floats, panels, equations and sections -------------------------------------------------

local structure -- the numbering walk, made for a parent float (or nil)

-- A caption and what it belongs to. `label` may be "": then nothing is numbered.
local function float(label, kind, caption, content, parent)
  local prefix
  if label ~= "" then
    local number
    if parent then
      parent.parts = parent.parts + 1
      number = string.char(96 + parent.parts)
      prefix = "(" .. number .. ")"
    else
      number = next_number(kind)
      prefix = words[kind] .. NBSP .. number
      if #caption > 0 then prefix = prefix .. ":" end
    end
    register(label, kind, number, parent and parent.label)
  end
  local full = pandoc.Inlines({})
  if prefix then full:insert(pandoc.Str(prefix)) end
  if prefix and #caption > 0 then full:insert(pandoc.Space()) end
  full:extend(caption)

  local alt = label ~= "" and prefix:gsub(":$", "") or stringify(caption)
  content = content:walk({
    Image = function(image)
      image.caption = {}
      image.attributes.alt = image.attributes["fig-alt"] or image.attributes.alt or alt
      return image
    end,
  })
  local blocks = pandoc.Blocks({})
  if HTML then
    local id = label ~= "" and " id=" .. quoted(label) or ""
    local figcaption = { raw("<figcaption>"), pandoc.Plain(full), raw("</figcaption>") }
    blocks:insert(raw("<figure" .. id .. ' class="float float-' .. kind .. '">'))
    if above[kind] and #full > 0 then blocks:extend(figcaption) end
    blocks:extend(content)
    if not above[kind] and #full > 0 then blocks:extend(figcaption) end
    blocks:insert(raw("</figure>"))
  else
    local place = above[kind] and "top" or "bottom"
    local id = label ~= "" and quoted(label) or "none"
    blocks:insert(raw(('#float("%s", %s, %s, ['):format(kind, id, place)))
    if #full > 0 then blocks:insert(pandoc.Plain(full)) end
    blocks:insert(raw("], ["))
    blocks:extend(content)
    blocks:insert(raw("])"))
  end
  return blocks
end

local function is_space(el)
  return el.t == "Space" or el.t == "SoftBreak" or el.t == "LineBreak"
end

-- The cells of a panel, one block each; images in one paragraph are one cell each.
local function cells_of(blocks)
  local cells = pandoc.List({})
  for _, block in ipairs(blocks) do
    local images = pandoc.List({})
    if block.t == "Para" then
      images = block.content:filter(function(el) return el.t == "Image" end)
      if #images + #block.content:filter(is_space) < #block.content then images = pandoc.List({}) end
    end
    if #images > 0 then
      cells:extend(images:map(function(image) return pandoc.Para({ image }) end))
    else
      cells:insert(block)
    end
  end
  return cells
end

-- Rows of column widths, from layout-ncol, layout-nrow or layout="[[1,2],[1]]"; nil without one.
local function layout_of(attributes, count)
  if attributes.layout then
    local rows = pandoc.json.decode(attributes.layout, false)
    if type(rows[1]) ~= "table" then rows = { rows } end
    for _, row in ipairs(rows) do
      for _, width in ipairs(row) do count = count - (width >= 0 and 1 or 0) end
    end
    for _ = 1, count do rows[#rows + 1] = { 1 } end -- what the layout forgets is not lost
    return rows
  end
  local columns = tonumber(attributes["layout-ncol"] or "")
  local nrow = tonumber(attributes["layout-nrow"] or "")
  if not columns and nrow then columns = math.ceil(count / nrow) end
  if not columns then return nil end
  local rows = {}
  for i = 1, count, columns do
    local row = {}
    for j = 1, columns do row[j] = 1 end
    rows[#rows + 1] = row
  end
  return rows
end

local function panel(blocks, attributes, parent)
  local cells = cells_of(blocks)
  local rows = layout_of(attributes, #cells)
  if not rows then return blocks:walk(structure(parent)) end
  local result, next_cell = pandoc.Blocks({}), 1
  for _, row in ipairs(rows) do
    local widths = pandoc.List(row):map(function(width) return ("%gfr"):format(math.abs(width)) end)
    result:insert(raw(
      HTML and '<div class="panel" style="grid-template-columns: ' .. table.concat(widths, " ") .. '">'
        or "#panel((" .. table.concat(widths, ", ") .. ",),"
    ))
    for _, width in ipairs(row) do
      result:insert(raw(HTML and "<div>" or "["))
      local cell = width >= 0 and cells[next_cell] -- a negative width is a gap
      if cell then
        next_cell = next_cell + 1
        local function whole_cell(image)
          -- a share of the page means nothing inside a cell
          if (image.attributes.width or ""):match("%%$") then image.attributes.width = nil end
          return image
        end
        result:extend(pandoc.Blocks({ cell }):walk({ Image = whole_cell }):walk(structure(parent)))
      end
      result:insert(raw(HTML and "</div>" or "],"))
    end
    result:insert(raw(HTML and "</div>" or ")"))
  end
  return result
end

-- Numbered like Quarto: from the shallowest heading in use, unnumbered ones not counted.
local function sections(meta, shallowest)
  local levels = { 0, 0, 0, 0, 0, 0, 0 }
  local depth = tonumber(meta["number-depth"] and stringify(meta["number-depth"]) or "") or 6
  return function(header)
    local level = header.level
    if not HTML then header.level = level - shallowest + 1 end
    if header.classes:includes("unnumbered") then return header end
    for i = level + 1, #levels do levels[i] = 0 end
    levels[level] = levels[level] + 1
    local numbers = pandoc.List({})
    for i = shallowest == 1 and 1 or 2, level do numbers:insert(tostring(levels[i])) end
    local number = table.concat(numbers, ".")
    if kind_of(header.identifier) == "sec" then register(header.identifier, "sec", number) end
    if meta["number-sections"] == true and level <= depth then
      header.content:insert(1, pandoc.Space())
      header.content:insert(1, pandoc.Span({ pandoc.Str(number) }, pandoc.Attr("", { "header-section-number" })))
    end
    return header
  end
end

-- "$$...$$ {#eq-x}": the attribute follows the formula as text.
local function equations(el)
  local result, i, changed = pandoc.Inlines({}), 1, false
  while i <= #el.content do
    local math, j = el.content[i], i + 1
    if math.t == "Math" and math.mathtype == "DisplayMath" then
      while el.content[j] and is_space(el.content[j]) do j = j + 1 end
      local attribute, last = "", j
      if el.content[j] and el.content[j].t == "Str" and el.content[j].text:match("^{#eq%-") then
        while el.content[last] and not attribute:match("}$") do
          attribute = attribute .. stringify(el.content[last])
          last = last + 1
        end
      end
      local label = attribute:match("^{#(eq%-[^%s}]+)")
      if label and attribute:match("}$") then
        local number = "(" .. next_number("eq") .. ")"
        register(label, "eq", number:sub(2, -2))
        if HTML then
          result:insert(pandoc.Span({
            math, pandoc.Span({ pandoc.Str(number) }, pandoc.Attr("", { "eq-number" })),
          }, pandoc.Attr(label, { "equation" })))
        else
          result:insert(raw_inline('#[#set math.equation(numbering: _ => "' .. number .. '");'))
          result:insert(math)
          result:insert(raw_inline("#label(" .. quoted(label) .. ")]"))
        end
        i, changed = last, true
        goto continue
      end
    end
    result:insert(math)
    i = i + 1
    ::continue::
  end
  if not changed then return nil end
  el.content = result
  return el
end

-- A table's width in columns is a guess that depends on the source's line length; see render.py.
local function widths_of(tbl)
  local wanted = tbl.attributes["tbl-colwidths"]
  tbl.attributes["tbl-colwidths"] = nil
  local shares = wanted and wanted:match("^%[") and pandoc.json.decode(wanted, false)
  local total, all = 0, true
  for _, spec in ipairs(tbl.colspecs) do
    if type(spec[2]) == "number" and spec[2] > 0 then total = total + spec[2] else all = false end
  end
  tbl.colspecs = pandoc.List(tbl.colspecs):map(function(spec, i)
    if shares and shares[i] then return { spec[1], shares[i] / 100 } end
    if all and total > 0 and total < 0.5 then return { spec[1], spec[2] / total } end
    return spec
  end)
  return tbl
end

local function table_block(tbl)
  tbl = widths_of(tbl)
  if HTML then
    return pandoc.Blocks({ pandoc.Div({ tbl }, pandoc.Attr("", { "table-scroll" })) })
  end
  return pandoc.Blocks({ raw("#columns-of(" .. #tbl.colspecs .. ")["), tbl, raw("]") })
end

local function caption_of(captioned)
  return pandoc.utils.blocks_to_inlines(captioned.caption.long or {})
end

local numbered_section

structure = function(parent)
  return {
    traverse = "topdown",
    Header = function(header) return numbered_section(header) end,
    Plain = equations,

    -- an image alone in its paragraph is a figure, if it has a caption or a label
    Para = function(para)
      local only = #para.content == 1 and para.content[1]
      if not only or only.t ~= "Image" then return equations(para) end
      local kind = kind_of(only.identifier)
      local label = FLOATS[kind or ""] and only.identifier or ""
      if label == "" and #only.caption == 0 then return nil end
      local caption = only.caption
      only.identifier = ""
      local content = pandoc.Blocks({ pandoc.Plain({ only }) })
      return float(label, label ~= "" and kind or "fig", caption, content, parent), false
    end,

    Figure = function(figure)
      local label = FLOATS[kind_of(figure.identifier) or ""] and figure.identifier or ""
      local kind = label ~= "" and kind_of(label) or "fig"
      return float(label, kind, caption_of(figure), figure.content, parent), false
    end,

    Table = function(tbl)
      tbl = tbl:clone()
      local label = kind_of(tbl.identifier) == "tbl" and tbl.identifier or ""
      local caption = caption_of(tbl)
      if label == "" and #caption == 0 then return table_block(tbl), false end
      if label ~= "" then tbl.identifier = "" end
      tbl.caption = { long = {} }
      return float(label, "tbl", caption, table_block(tbl), parent), false
    end,

    CodeBlock = function(code)
      local label, caption = code.identifier, code.attributes["lst-cap"]
      if kind_of(label) ~= "lst" or not caption then return nil end
      code.identifier, code.attributes["lst-cap"] = "", nil
      return float(label, "lst", inlines_of(caption), pandoc.Blocks({ code }), parent), false
    end,

    Div = function(div)
      local kind = kind_of(div.identifier)
      local attributes = div.attributes
      if not FLOATS[kind or ""] then
        if not layout_of(attributes, 1) then return nil end
        return panel(div.content, attributes, parent), false
      end
      local content, caption = div.content, nil
      local last = content[#content]
      if #content > 1 and last.t == "Para" then
        caption = last.content
        content:remove()
      elseif attributes[kind .. "-cap"] then
        caption = inlines_of(attributes[kind .. "-cap"])
      elseif kind == "tbl" then
        -- the table inside may bring the caption
        content = content:walk({
          Table = function(tbl)
            if caption or kind_of(tbl.identifier) == "tbl" then return nil end
            caption = caption_of(tbl)
            tbl.caption = { long = {} }
            return tbl
          end,
        })
      end
      if #content == 1 and content[1].t == "Figure" and content[1].identifier == "" then
        content = content[1].content -- a single image is the figure, not a part of it
      end
      -- the parts need their parent's label before the parent is numbered
      local own = { label = div.identifier, parts = 0 }
      local inner = function() return panel(content, attributes, own) end
      return float(div.identifier, kind, caption or pandoc.Inlines({}), inner(), parent), false
    end,
  }
end

-- 4. References -----------------------------------------------------------------------------

local function reference(cite)
  local result, citations = pandoc.Inlines({}), pandoc.List({})
  for _, citation in ipairs(cite.citations) do
    local kind = kind_of(citation.id)
    if not (WORDS.en[kind or ""] or CALLOUT_KINDS[kind or ""]) then
      citations:insert(citation.id)
    else
      local label = citation.id:sub(1, 1):lower() .. citation.id:sub(2)
      local target = index[label]
      if #result > 0 then result:extend({ pandoc.Str(","), pandoc.Space() }) end
      if not target then
        result:insert(pandoc.Strong({ pandoc.Str("?@" .. label) }))
      else
        local text = pandoc.Inlines({})
        if #citation.prefix > 0 then
          text:extend(citation.prefix)
          text:insert(pandoc.Str(NBSP))
        elseif citation.mode ~= "SuppressAuthor" then
          text:insert(pandoc.Str((CALLOUT_KINDS[kind] or words.prefix[kind]) .. NBSP))
        end
        if target.parent then
          text:extend({ pandoc.Str(index[target.parent].number), pandoc.Space() })
          text:insert(pandoc.Str("(" .. target.number .. ")"))
        else
          text:insert(pandoc.Str(target.number))
        end
        result:insert(pandoc.Link(text, "#" .. label, "", pandoc.Attr("", { "xref" })))
      end
    end
  end
  if #result == 0 then return nil end
  if #citations > 0 then
    problem("the citation of '" .. citations[1] .. "' shares its brackets with a cross-reference, "
      .. "where Quarto loses it; give it brackets of its own")
  end
  return result
end

-- 5. Images ---------------------------------------------------------------------------------

local function image(el)
  local alt = el.attributes["fig-alt"]
  if alt then el.attributes.alt = alt end
  for _, key in ipairs({ "fig-alt", "fig-align", "fig-pos", "fig-env", "fig-scap" }) do
    el.attributes[key] = nil
  end
  if el.src:match("^data:") then return el end
  if el.src:match("^%a[%w+.-]+:") or el.src:match("^//") then
    problem("the image " .. el.src .. " is not a file; put a copy into the paper's folder")
    return el
  end
  local path = el.src:gsub("^/", ""):gsub("%%20", " ")
  local file = io.open(path, "rb")
  if not file then
    problem("missing image " .. el.src .. "; write it, or correct its path, which starts at the paper's folder")
    return el
  end
  file:close()
  el.src = HTML and pandoc.mediabag.make_data_uri(pandoc.mediabag.fetch(path)) or path
  return el
end

function Pandoc(doc)
  read_options(doc.meta)
  doc = doc:walk(visibility(doc.meta))

  local shallowest = 7
  doc.blocks:walk({ Header = function(h) shallowest = math.min(shallowest, h.level) end })
  numbered_section = sections(doc.meta, shallowest)
  doc.blocks = doc.blocks:walk(structure(nil))
  doc = doc:walk({ Cite = reference })
  doc = pandoc.utils.citeproc(doc)
  return doc:walk({ Image = image })
end
