" Lido in Vim 9: suggestions as ghost text, and what can be done at the cursor. See clients/README.md.
if exists('g:loaded_lido') || v:version < 900 || !has('patch-9.0.0185') || !has('channel') || has('nvim')
  finish
endif
let g:loaded_lido = 1

" The server's command, and its settings (a dictionary as in config.toml).
let g:lido_command = get(g:, 'lido_command', ['lido', 'serve'])
let g:lido_settings = get(g:, 'lido_settings', {})

highlight default link LidoGhost NonText

command! LidoActions call lido#actions()
command! LidoRestart call lido#restart()

inoremap <silent> <Plug>(lido-accept) <Cmd>call lido#accept('all')<CR>
inoremap <silent> <Plug>(lido-word) <Cmd>call lido#accept('word')<CR>
inoremap <silent> <Plug>(lido-line) <Cmd>call lido#accept('line')<CR>
inoremap <silent> <Plug>(lido-dismiss) <Cmd>call lido#dismiss()<CR>

" Keys that somebody has mapped stay with them.
if empty(maparg('<Tab>', 'i')) && !get(g:, 'lido_no_maps')
  inoremap <silent> <expr> <Tab> lido#shown() ? "\<Plug>(lido-accept)" : "\<Tab>"
endif
if empty(maparg('<C-]>', 'i')) && !get(g:, 'lido_no_maps')
  inoremap <silent> <expr> <C-]> lido#shown() ? "\<Plug>(lido-dismiss)" : "\<C-]>"
endif
if empty(maparg('<C-Right>', 'i')) && !get(g:, 'lido_no_maps')
  inoremap <silent> <expr> <C-Right> lido#shown() ? "\<Plug>(lido-word)" : "\<C-Right>"
endif

augroup lido
  autocmd!
  autocmd FileType * call lido#open(+expand('<abuf>'))
  autocmd TextChanged,TextChangedP * call lido#changed()
  autocmd TextChangedI * call lido#changed() | call lido#ask()
  autocmd InsertEnter * call lido#ask()
  autocmd CursorMovedI * call lido#moved()
  autocmd InsertLeave * call lido#hide()
  autocmd BufWritePost * call lido#saved(+expand('<abuf>'))
  autocmd BufUnload * call lido#close(+expand('<abuf>'))
  autocmd VimLeavePre * call lido#stop()
augroup END
