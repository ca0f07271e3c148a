--- Lido in Neovim 0.7 and newer: ghost text, chat, plans with review by code lens.
---
---   require('lido').setup { cmd = { '/path/to/.venv/bin/lido', 'serve' } }
---
--- Neovim 0.12 can show the ghost text by itself (`vim.lsp.inline_completion`); there this module is needed
--- for chat and plans only.
local M = {}

local namespace = vim.api.nvim_create_namespace('lido')
local options = {
  cmd = { 'lido', 'serve' },
  settings = {}, -- the `lido` section, as in config.toml
  keys = { accept = '<Tab>', accept_word = '<M-Right>', accept_line = '<M-Down>', dismiss = '<C-]>' },
}
local client_id
local shown -- { id, item, buffer, told }: the suggestion on the screen
local asked -- the request under way
local refused -- the buffer's changedtick when a suggestion was dismissed: no other until something is typed
local chat = { conversation = nil, tokens = {} }
local review_id

-- ------------------------------------------------------------------ the session

local function client()
  return client_id and vim.lsp.get_client_by_id(client_id) or nil
end

local modern = vim.fn.has('nvim-0.11') == 1

local function request(method, params, handler, buffer)
  local c = client()
  if not c then
    vim.notify('Lido is not running here', vim.log.levels.WARN)
    return nil
  end
  local ok, id
  if modern then
    ok, id = c:request(method, params, handler, buffer)
  else
    ok, id = c.request(method, params, handler, buffer)
  end
  return ok and id or nil
end

local function notify(method, params)
  local c = client()
  if c and modern then
    c:notify(method, params)
  elseif c then
    c.notify(method, params)
  end
end

local function cancel(id)
  local c = client()
  if c and modern then
    c:cancel_request(id)
  elseif c then
    c.cancel_request(id)
  end
end

local function fail(err)
  vim.notify('Lido: ' .. (err.message or vim.inspect(err)), vim.log.levels.WARN)
end

--- The byte column of an LSP position, within its line.
local function column(buffer, position)
  local line = vim.api.nvim_buf_get_lines(buffer, position.line, position.line + 1, false)[1] or ''
  local encoding = client().offset_encoding
  if encoding == 'utf-8' then
    return math.min(position.character, #line)
  end
  local ok, byte = pcall(vim.str_byteindex, line, position.character, encoding == 'utf-16')
  return ok and byte or #line
end

--- The length of `text` in code units of the negotiated encoding.
local function units(text)
  local encoding = client().offset_encoding
  if encoding == 'utf-8' then
    return #text
  end
  local utf32, utf16 = vim.str_utfindex(text)
  return encoding == 'utf-16' and utf16 or utf32
end

-- ------------------------------------------------------------------ ghost text

local function clear()
  if shown and vim.api.nvim_buf_is_valid(shown.buffer) then
    vim.api.nvim_buf_clear_namespace(shown.buffer, namespace, 0, -1)
  end
  shown = nil
end

--- What of the suggestion is not typed yet, or nil where the text or the cursor left it.
local function remaining()
  if not shown or shown.buffer ~= vim.api.nvim_get_current_buf() then
    return nil
  end
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local start = shown.item.range.start
  local first = column(shown.buffer, start)
  if row - 1 < start.line or (row - 1 == start.line and col < first) then
    return nil
  end
  local typed = table.concat(vim.api.nvim_buf_get_text(shown.buffer, start.line, first, row - 1, col, {}), '\n')
  local text = shown.item.insertText
  if #typed < #text and text:sub(1, #typed) == typed then
    return text:sub(#typed + 1), row - 1, col
  end
  return nil
end

local function draw()
  local text, row, col = remaining()
  if not text then
    return false
  end
  vim.api.nvim_buf_clear_namespace(shown.buffer, namespace, 0, -1)
  local lines = vim.split(text, '\n', { plain = true })
  local rest = vim.api.nvim_get_current_line():sub(col + 1 + shown.covered)
  local mark = { hl_mode = 'combine' }
  if vim.fn.has('nvim-0.10') == 1 then
    mark.virt_text_pos = 'inline'
    mark.virt_text = { { lines[1], 'LidoGhost' } }
  else -- drawn over the rest of the line, with the rest drawn after it
    mark.virt_text_pos = 'overlay'
    mark.virt_text = { { lines[1], 'LidoGhost' }, { rest, 'Normal' } }
  end
  if #lines > 1 then
    mark.virt_lines = vim.tbl_map(function(line)
      return { { line, 'LidoGhost' } }
    end, vim.list_slice(lines, 2))
  end
  vim.api.nvim_buf_set_extmark(shown.buffer, namespace, row, col, mark)
  if not shown.told then
    shown.told = true
    notify('lido/completion/shown', { id = shown.id })
  end
  return true
end

--- Asks for a suggestion at the cursor; `invoked` where the person asked by a key.
function M.suggest(invoked)
  local buffer = vim.api.nvim_get_current_buf()
  -- A buffer counts as attached as soon as its client starts, before the server knows of either.
  if not client() or not client().initialized or not vim.lsp.buf_is_attached(buffer, client_id) then
    return
  end
  if asked then
    cancel(asked)
    asked = nil
  end
  local cursor = vim.api.nvim_win_get_cursor(0)
  local tick = vim.api.nvim_buf_get_changedtick(buffer)
  local params = vim.lsp.util.make_position_params(0, client().offset_encoding)
  params.context = { triggerKind = invoked and 1 or 2 }
  asked = request('textDocument/inlineCompletion', params, function(err, result)
    asked = nil
    local stale = vim.api.nvim_buf_get_changedtick(buffer) ~= tick
      or vim.api.nvim_get_current_buf() ~= buffer
      or not vim.deep_equal(vim.api.nvim_win_get_cursor(0), cursor)
    if err or not result or stale or vim.api.nvim_get_mode().mode:sub(1, 1) ~= 'i' then
      return
    end
    local item = (result.items or result)[1]
    if not item then
      return
    end
    clear()
    shown = { id = item.command.arguments[1], item = item, buffer = buffer }
    -- Bytes after the cursor that accepting replaces, on the cursor's line.
    local last = item.range['end']
    shown.covered = last.line == cursor[1] - 1 and math.max(0, column(buffer, last) - cursor[2]) or 0
    if not draw() then
      clear()
    end
  end, buffer)
end

function M.visible()
  return remaining() ~= nil
end

local function insert(text, covered)
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local lines = vim.split(text, '\n', { plain = true })
  vim.api.nvim_buf_set_text(0, row - 1, col, row - 1, col + covered, lines)
  local last = #lines == 1 and col + #lines[1] or #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { row + #lines - 1, last })
end

--- Takes the whole suggestion. False where none is shown.
function M.accept()
  local text = remaining()
  if not text then
    return false
  end
  local command, covered = shown.item.command, shown.covered
  clear()
  insert(text, covered)
  request('workspace/executeCommand', { command = command.command, arguments = command.arguments }, function(err)
    if err then
      fail(err)
    end
  end)
  return true
end

local function accept_part(pattern)
  local text = remaining()
  local part = text and text:match(pattern)
  if not part or part == text then
    return M.accept()
  end
  local typed = #shown.item.insertText - #text
  insert(part, 0)
  notify('lido/completion/partiallyAccepted', {
    id = shown.id,
    acceptedLength = units(shown.item.insertText:sub(1, typed + #part)),
  })
  if not draw() then
    clear()
  end
  return true
end

function M.accept_word()
  return accept_part('^%s*[%w_\128-\255]+') or accept_part('^%s*.')
end

function M.accept_line()
  return accept_part('^\n?[^\n]*')
end

--- Says no to what is shown. False where nothing is.
function M.dismiss()
  if not M.visible() then
    return false
  end
  notify('lido/completion/dismissed', { id = shown.id, reason = 'dismissed' })
  clear()
  refused = vim.api.nvim_buf_get_changedtick(0)
  return true
end

local function typed()
  if not draw() then
    clear()
    if refused ~= vim.api.nvim_buf_get_changedtick(0) then
      M.suggest(false)
    end
  end
end

-- ------------------------------------------------------------------ chat

local function chat_buffer()
  local buffer = vim.fn.bufnr('lido://chat')
  if buffer == -1 then
    buffer = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(buffer, 'lido://chat')
    vim.api.nvim_buf_set_option(buffer, 'filetype', 'markdown')
    vim.api.nvim_buf_set_option(buffer, 'bufhidden', 'hide')
  end
  if vim.fn.bufwinid(buffer) == -1 then
    local before = vim.api.nvim_get_current_win()
    vim.cmd('botright vsplit')
    vim.api.nvim_win_set_buf(0, buffer)
    vim.api.nvim_win_set_option(0, 'wrap', true)
    vim.api.nvim_set_current_win(before)
  end
  return buffer
end

local function append(buffer, text)
  local last = vim.api.nvim_buf_line_count(buffer) - 1
  local width = #vim.api.nvim_buf_get_lines(buffer, last, last + 1, false)[1]
  vim.api.nvim_buf_set_text(buffer, last, width, last, width, vim.split(text, '\n', { plain = true }))
  local window = vim.fn.bufwinid(buffer)
  if window ~= -1 then
    vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(buffer), 0 })
  end
end

--- Asks in the chat. `range` is { first, last }, lines counted from 1, of the present buffer to attach.
function M.chat(text, range)
  local attachments = {}
  if range then
    local uri = vim.uri_from_bufnr(0)
    local lines = vim.api.nvim_buf_get_lines(0, range[1] - 1, range[2], false)
    attachments[1] = {
      kind = 'selection',
      uri = uri,
      range = {
        start = { line = range[1] - 1, character = 0 },
        ['end'] = { line = range[2] - 1, character = units(lines[#lines] or '') },
      },
      text = table.concat(lines, '\n'),
    }
  end
  local buffer = chat_buffer()
  append(buffer, '## You\n\n' .. text .. '\n\n## Lido\n\n')
  local token = 'lido-chat-' .. vim.loop.hrtime()
  chat.tokens[token] = buffer
  request('lido/chat/send', {
    text = text,
    conversationId = chat.conversation,
    attachments = attachments,
    partialResultToken = token,
  }, function(err, answer)
    chat.tokens[token] = nil
    if err then
      append(buffer, '*' .. err.message .. '*\n\n')
    else
      chat.conversation = answer.conversationId
      append(buffer, '\n\n')
    end
  end)
end

-- ------------------------------------------------------------------ plans and reviews

local function refresh_lenses()
  for buffer in pairs(client() and client().attached_buffers or {}) do
    if vim.api.nvim_buf_is_loaded(buffer) then
      local params = { textDocument = { uri = vim.uri_from_bufnr(buffer) } }
      request('textDocument/codeLens', params, function(err, lenses, context)
        if not err then
          vim.lsp.codelens.on_codelens(err, lenses, context, {})
        end
      end, buffer)
    end
  end
end

--- Starts a plan; what it changes comes as a review: `:LidoReview accept|reject|next|show|undo`.
function M.plan(instruction, mode)
  local attachments = { { kind = 'file', uri = vim.uri_from_bufnr(0) } }
  local params = { instruction = instruction, attachments = attachments, mode = mode or 'plan' }
  request('lido/plan/start', params, function(err)
    if err then
      fail(err)
    end
  end)
end

local function plan_updated(_, update)
  if update.state == 'waiting' and update.question then
    vim.ui.input({ prompt = 'Lido: ' .. update.question .. ' ' }, function(text)
      if text then
        request('lido/plan/answer', { planId = update.planId, text = text }, function(err)
          if err then
            fail(err)
          end
        end)
      else
        request('lido/plan/cancel', { planId = update.planId }, function() end)
      end
    end)
  elseif update.state == 'review' then
    review_id = update.reviewId
    vim.notify('Lido: changes to review. :LidoReview next, accept, reject, show, undo')
    refresh_lenses()
  elseif update.message and vim.tbl_contains({ 'failed', 'gaveUp' }, update.state) then
    vim.notify('Lido: ' .. update.message, vim.log.levels.WARN)
  end
end

local commands = {
  accept = 'lido.review.acceptAll',
  reject = 'lido.review.rejectAll',
  next = 'lido.review.next',
  show = 'lido.review.show',
  undo = 'lido.review.undo',
}

--- Decides all of the last review that is undecided, walks through it, or takes it back. Single changes are
--- decided by their code lenses: `vim.lsp.codelens.run()` on the line.
function M.review(what)
  if not review_id then
    return vim.notify('Lido: there is no review', vim.log.levels.INFO)
  end
  local params = { command = commands[what], arguments = { review_id } }
  request('workspace/executeCommand', params, function(err)
    if err then
      fail(err)
    end
    refresh_lenses()
  end)
end

--- What Neovim's diagnostics say, of one file or all, for an agent that asks.
local function diagnostics(_, query)
  local found = {}
  for _, each in ipairs(vim.diagnostic.get()) do
    local uri = vim.uri_from_bufnr(each.bufnr)
    if not query.uri or query.uri == vim.NIL or query.uri == uri then
      local severity = string.lower(vim.diagnostic.severity[each.severity])
      severity = ({ warn = 'warning', info = 'information' })[severity] or severity
      table.insert(found, { uri = uri, line = each.lnum, severity = severity, message = each.message })
    end
  end
  return found
end

-- ------------------------------------------------------------------ set-up

local function capabilities()
  local made = vim.lsp.protocol.make_client_capabilities()
  made.textDocument.inlineCompletion = vim.empty_dict()
  made.experimental = { lido = { diagnostics = true, plan = true } }
  return made
end

local function config(root)
  local progress = vim.lsp.handlers['$/progress']
  return {
    name = 'lido',
    cmd = options.cmd,
    root_dir = root,
    capabilities = capabilities(),
    init_options = { lido = vim.tbl_isempty(options.settings) and vim.empty_dict() or options.settings },
    handlers = {
      ['$/progress'] = function(err, params, ...)
        local buffer = params and chat.tokens[params.token]
        if buffer then
          append(buffer, params.value.delta)
        elseif progress then
          return progress(err, params, ...)
        end
      end,
      ['lido/status'] = function(_, status)
        M.status = status
        vim.cmd('redrawstatus')
      end,
      ['lido/plan/update'] = plan_updated,
      ['lido/diagnostics'] = diagnostics,
      ['workspace/codeLens/refresh'] = function()
        refresh_lenses()
        return vim.NIL
      end,
    },
    on_attach = function(_, buffer)
      -- Typing may have begun before the server was ready.
      if buffer == vim.api.nvim_get_current_buf() and vim.api.nvim_get_mode().mode:sub(1, 1) == 'i' then
        typed()
      end
    end,
    on_exit = function()
      client_id = nil
    end,
  }
end

--- Starts the server for a buffer, or joins the buffer to the one that runs.
function M.attach(buffer)
  if vim.bo[buffer].buftype ~= '' or vim.api.nvim_buf_get_name(buffer) == '' then
    return
  end
  if not client() then
    local found = vim.fn.finddir('.git', vim.fn.expand('%:p:h') .. ';')
    local root = found ~= '' and vim.fn.fnamemodify(found, ':p:h:h') or vim.fn.getcwd()
    local start = vim.lsp.start_client
    if vim.lsp.start then
      client_id = vim.lsp.start(config(root), { bufnr = buffer })
      return
    end
    client_id = start(config(root))
  end
  if client_id then
    vim.lsp.buf_attach_client(buffer, client_id)
  end
end

function M.setup(given)
  options = vim.tbl_deep_extend('force', options, given or {})
  vim.api.nvim_set_hl(0, 'LidoGhost', { default = true, link = 'Comment' })
  local group = vim.api.nvim_create_augroup('lido', {})
  local function on(events, callback)
    vim.api.nvim_create_autocmd(events, { group = group, callback = callback })
  end
  on({ 'BufReadPost', 'BufNewFile', 'FileType' }, function(event)
    M.attach(event.buf)
  end)
  on({ 'TextChangedI' }, typed)
  on({ 'InsertEnter' }, function()
    vim.schedule(typed) -- the cursor is not yet where typing begins
  end)
  on({ 'CursorMovedI' }, function()
    if shown and not draw() then
      clear()
    end
  end)
  on({ 'InsertLeave', 'BufLeave' }, clear)

  local actions =
    { accept = M.accept, accept_word = M.accept_word, accept_line = M.accept_line, dismiss = M.dismiss }
  for name, action in pairs(actions) do
    local key = options.keys[name]
    local mapped = key and vim.fn.maparg(key, 'i', false, true) or {}
    -- Another plugin's key stays its own; Neovim 0.11 maps Tab itself, to jump within a snippet.
    local builtin = (mapped.desc or ''):find('vim.snippet', 1, true) ~= nil
    if key and (vim.tbl_isempty(mapped) or builtin) then
      vim.keymap.set('i', key, function()
        if action() then
          return
        elseif builtin and vim.snippet.active { direction = 1 } then
          vim.snippet.jump(1)
        else
          vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(key, true, false, true), 'n', false)
        end
      end, { desc = 'Lido: ' .. name })
    end
  end

  vim.api.nvim_create_user_command('LidoChat', function(command)
    M.chat(command.args, command.range > 0 and { command.line1, command.line2 } or nil)
  end, { nargs = '+', range = true })
  vim.api.nvim_create_user_command('LidoPlan', function(command)
    M.plan(command.args)
  end, { nargs = '+' })
  vim.api.nvim_create_user_command('LidoReview', function(command)
    M.review(command.args)
  end, {
    nargs = 1,
    complete = function()
      return vim.tbl_keys(commands)
    end,
  })
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) then
      M.attach(buffer)
    end
  end
end

return M
