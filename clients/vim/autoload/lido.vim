" One server for all of Vim. Columns are bytes here, and so on the wire: the position encoding is UTF-8.
let s:job = v:null
let s:ready = 0
let s:open = {} " buffer → the changedtick that the server knows
let s:ghost = {} " the suggestion that is drawn: buffer, line, column, text, item
let s:asked = 0 " only the newest request's answer counts

" ---------------------------------------------------------------- the server

function! s:start() abort
  if s:job isnot v:null
    return
  endif
  let s:job = job_start(g:lido_command, {
        \ 'in_mode': 'lsp', 'out_mode': 'lsp', 'err_io': 'null', 'noblock': 1, 'stoponexit': '',
        \ 'out_cb': function('s:told'), 'exit_cb': function('s:ended')})
  if job_status(s:job) !=# 'run'
    echohl WarningMsg | echomsg 'Lido: could not start ' .. join(g:lido_command) | echohl None
    return
  endif
  let folder = 'file://' .. s:escaped(getcwd())
  call s:request('initialize', {
        \ 'processId': getpid(), 'clientInfo': {'name': 'Vim', 'version': string(v:versionlong)},
        \ 'rootUri': folder, 'workspaceFolders': [{'uri': folder, 'name': fnamemodify(getcwd(), ':t')}],
        \ 'initializationOptions': {'lido': g:lido_settings},
        \ 'capabilities': {
        \   'general': {'positionEncodings': ['utf-8']},
        \   'textDocument': {'inlineCompletion': {}, 'synchronization': {'didSave': v:true},
        \     'codeAction': {'codeActionLiteralSupport': {'codeActionKind': {'valueSet': ['quickfix', 'refactor']}}}},
        \   'window': {'showDocument': {'support': v:true}}}}, function('s:begun'))
endfunction

function! s:begun(result) abort
  call s:notify('initialized', {})
  let s:ready = 1
  for buffer in range(1, bufnr('$'))
    call lido#open(buffer)
  endfor
  if mode() ==# 'i'
    call lido#ask()
  endif
endfunction

function! s:ended(job, code) abort
  if a:job is s:job
    let [s:job, s:ready, s:open] = [v:null, 0, {}]
    call lido#hide()
    if a:code != 0
      echohl WarningMsg | echomsg 'Lido: the server ended with code ' .. a:code .. '; :LidoRestart' | echohl None
    endif
  endif
endfunction

function! s:notify(method, params) abort
  if s:job isnot v:null && job_status(s:job) ==# 'run'
    call ch_sendexpr(s:job, {'method': a:method, 'params': a:params})
  endif
endfunction

" Done(result); an error is said.
function! s:request(method, params, Done) abort
  if s:job isnot v:null && job_status(s:job) ==# 'run'
    call ch_sendexpr(s:job, {'method': a:method, 'params': a:params},
          \ {'callback': {_, message -> s:answered(message, a:Done)}})
  endif
endfunction

function! s:answered(message, Done) abort
  if has_key(a:message, 'result')
    call a:Done(a:message.result)
  elseif a:message.error.code != -32800
    call s:say(a:message.error.message)
  endif
endfunction

function! s:told(channel, message) abort
  let method = get(a:message, 'method', '')
  if method ==# 'window/showMessage'
    call s:say(a:message.params.message)
  elseif has_key(a:message, 'id')
    let known = index(['workspace/configuration', 'window/showMessageRequest', 'window/showDocument'], method) >= 0
    call ch_sendexpr(a:channel, known ? {'id': a:message.id, 'result': s:serve(method, a:message.params)}
          \ : {'id': a:message.id, 'error': {'code': -32601, 'message': 'not served here: ' .. method}})
  endif
endfunction

function! s:serve(method, params) abort
  if a:method ==# 'workspace/configuration'
    return map(copy(a:params.items), {_, item -> get(item, 'section', '') ==# 'lido' ? g:lido_settings : v:null})
  elseif a:method ==# 'window/showMessageRequest'
    let titles = map(copy(a:params.actions), {_, action -> action.title})
    let chosen = inputlist([a:params.message] + map(copy(titles), {i, title -> (i + 1) .. '. ' .. title}))
    return chosen > 0 && chosen <= len(titles) ? a:params.actions[chosen - 1] : v:null
  elseif a:method ==# 'window/showDocument' && a:params.uri =~# '^file://'
    execute 'split' fnameescape(s:path(a:params.uri))
    return {'success': v:true}
  endif
  return {'success': v:false}
endfunction

function! s:say(text) abort
  echomsg substitute(a:text, '\n.*', '', '')
endfunction

function! lido#stop() abort
  let job = s:job
  if job isnot v:null && job_status(job) ==# 'run'
    call ch_evalexpr(job, {'method': 'shutdown'}, {'timeout': 2000})
    call s:notify('exit', {})
  endif
endfunction

function! lido#restart() abort
  call lido#stop()
  let [s:job, s:ready, s:open] = [v:null, 0, {}]
  call s:start()
endfunction

" ---------------------------------------------------------------- documents

" Byte by byte, as URIs have them.
function! s:escaped(path) abort
  let bytes = map(range(strlen(a:path)), {_, i -> a:path[i]})
  return join(map(bytes, {_, byte -> byte =~# '[A-Za-z0-9._~/-]' ? byte : printf('%%%02X', char2nr(byte))}), '')
endfunction

function! s:path(uri) abort
  return substitute(a:uri[7:], '%\(\x\x\)', {m -> eval('"\x' .. m[1] .. '"')}, 'g')
endfunction

function! s:uri(buffer) abort
  return 'file://' .. s:escaped(fnamemodify(bufname(a:buffer), ':p'))
endfunction

function! s:text(buffer) abort
  let ending = getbufvar(a:buffer, '&endofline') ? "\n" : ''
  return join(getbufline(a:buffer, 1, '$'), "\n") .. ending
endfunction

function! lido#open(buffer) abort
  let language = getbufvar(a:buffer, '&filetype')
  if !bufloaded(a:buffer) || empty(language) || !empty(getbufvar(a:buffer, '&buftype')) || empty(bufname(a:buffer))
    return
  endif
  call s:start()
  if s:ready && !has_key(s:open, a:buffer)
    let tick = getbufvar(a:buffer, 'changedtick')
    let s:open[a:buffer] = tick
    call s:notify('textDocument/didOpen', {'textDocument': {
          \ 'uri': s:uri(a:buffer), 'languageId': language, 'version': tick, 'text': s:text(a:buffer)}})
  endif
endfunction

function! lido#changed() abort
  let buffer = bufnr('')
  if get(s:open, buffer, b:changedtick) < b:changedtick
    let s:open[buffer] = b:changedtick
    call s:notify('textDocument/didChange', {
          \ 'textDocument': {'uri': s:uri(buffer), 'version': b:changedtick},
          \ 'contentChanges': [{'text': s:text(buffer)}]})
  endif
endfunction

function! lido#saved(buffer) abort
  if has_key(s:open, a:buffer)
    call s:notify('textDocument/didSave', {'textDocument': {'uri': s:uri(a:buffer)}})
  endif
endfunction

function! lido#close(buffer) abort
  if has_key(s:open, a:buffer)
    call remove(s:open, a:buffer)
    call s:notify('textDocument/didClose', {'textDocument': {'uri': s:uri(a:buffer)}})
  endif
endfunction

" ---------------------------------------------------------------- ghost text

function! lido#ask() abort
  call s:clear()
  let s:asked += 1
  if !s:ready || !has_key(s:open, bufnr(''))
    return
  endif
  call lido#changed()
  let [buffer, line, column, mine] = [bufnr(''), line('.'), col('.'), s:asked]
  call s:request('textDocument/inlineCompletion', {
        \ 'textDocument': {'uri': s:uri(buffer)}, 'position': {'line': line - 1, 'character': column - 1},
        \ 'context': {'triggerKind': 2}}, {result -> s:found(result, buffer, line, column, mine)})
endfunction

function! s:found(result, buffer, line, column, mine) abort
  let items = type(a:result) == v:t_dict ? a:result.items : []
  if empty(items) || a:mine != s:asked || mode() !=# 'i'
        \ || [bufnr(''), line('.'), col('.')] != [a:buffer, a:line, a:column]
    return
  endif
  let item = items[0]
  " What stands between the suggestion's beginning and the cursor is typed already.
  let typed = strpart(getline('.'), item.range.start.character, a:column - 1 - item.range.start.character)
  if item.range.start.line != a:line - 1 || item.range.end.line != a:line - 1
        \ || strpart(item.insertText, 0, len(typed)) !=# typed
    return
  endif
  let after = item.range.end.character - (a:column - 1)
  call s:draw({'buffer': a:buffer, 'line': a:line, 'column': a:column, 'item': item, 'after': after,
        \ 'text': strpart(item.insertText, len(typed)), 'taken': len(typed)})
  call s:notify('lido/completion/shown', {'id': item.command.arguments[0]})
endfunction

function! s:draw(ghost) abort
  call s:clear()
  if empty(prop_type_get('LidoGhost'))
    call prop_type_add('LidoGhost', {'highlight': 'LidoGhost'})
  endif
  let s:ghost = a:ghost
  let lines = split(a:ghost.text, "\n", 1)
  if !empty(lines[0])
    call prop_add(a:ghost.line, a:ghost.column, {'type': 'LidoGhost', 'text': s:spaces(lines[0])})
  endif
  for below in lines[1:]
    call prop_add(a:ghost.line, 0, {'type': 'LidoGhost', 'text': empty(below) ? ' ' : s:spaces(below), 'text_align': 'below'})
  endfor
endfunction

function! s:spaces(text) abort
  return substitute(a:text, "\t", repeat(' ', &tabstop), 'g')
endfunction

function! s:clear() abort
  if !empty(s:ghost)
    if bufloaded(s:ghost.buffer)
      call prop_remove({'type': 'LidoGhost', 'bufnr': s:ghost.buffer, 'all': v:true})
    endif
    let s:ghost = {}
  endif
endfunction

function! lido#hide() abort
  let s:asked += 1
  call s:clear()
endfunction

function! lido#shown() abort
  return !empty(s:ghost)
endfunction

function! lido#moved() abort
  if !empty(s:ghost) && [bufnr(''), line('.'), col('.')] != [s:ghost.buffer, s:ghost.line, s:ghost.column]
    call lido#hide()
  endif
endfunction

function! lido#dismiss() abort
  if !empty(s:ghost)
    call s:notify('lido/completion/dismissed', {'id': s:ghost.item.command.arguments[0], 'reason': 'dismissed'})
    call lido#hide()
  endif
endfunction

" how: all, word or line
function! lido#accept(how) abort
  let ghost = s:ghost
  if empty(ghost)
    return
  endif
  let part = a:how ==# 'all' ? ghost.text : matchstr(ghost.text, a:how ==# 'word' ? '^\_s*\%(\k\+\|[^[:keyword:][:space:]]\+\)' : '^\n\?[^\n]*')
  let whole = empty(part) || part ==# ghost.text
  let part = whole ? ghost.text : part
  call lido#hide()
  let line = getline('.')
  let lines = split(strpart(line, 0, ghost.column - 1) .. part, "\n", 1)
  let cursor = [ghost.line + len(lines) - 1, len(lines[-1]) + 1]
  let lines[-1] ..= strpart(line, ghost.column - 1 + (whole ? ghost.after : 0))
  call setline(ghost.line, lines[0])
  call append(ghost.line, lines[1:])
  call cursor(cursor)
  call lido#changed()
  let id = ghost.item.command.arguments[0]
  if whole
    call s:request('workspace/executeCommand', {'command': ghost.item.command.command, 'arguments': [id]}, {_ -> 0})
    return
  endif
  call s:notify('lido/completion/partiallyAccepted', {'id': id, 'acceptedLength': ghost.taken + len(part)})
  call s:draw(extend(copy(ghost), {'line': cursor[0], 'column': cursor[1],
        \ 'text': strpart(ghost.text, len(part)), 'taken': ghost.taken + len(part)}))
endfunction

" ---------------------------------------------------------------- what can be done here

function! lido#actions() abort
  if !has_key(s:open, bufnr(''))
    return s:say('Lido is not ready here yet')
  endif
  call lido#changed()
  let line = line('.') - 1
  call s:request('textDocument/codeAction', {
        \ 'textDocument': {'uri': s:uri(bufnr(''))},
        \ 'range': {'start': {'line': line, 'character': col('.') - 1}, 'end': {'line': line, 'character': col('.') - 1}},
        \ 'context': {'diagnostics': []}}, function('s:choose'))
endfunction

function! s:choose(actions) abort
  if empty(a:actions)
    return
  endif
  call popup_menu(map(copy(a:actions), {_, action -> action.title}), {
        \ 'title': ' Lido ', 'callback': {_, chosen -> s:do(chosen > 0 ? a:actions[chosen - 1] : {})}})
endfunction

function! s:do(action) abort
  if !empty(a:action)
    " Vim takes no edits from the server here: what is accepted is written to the file.
    call s:request('workspace/executeCommand',
          \ {'command': a:action.command.command, 'arguments': a:action.command.arguments}, {_ -> execute('checktime')})
  endif
endfunction
