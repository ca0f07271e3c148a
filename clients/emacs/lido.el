;;; lido.el --- Ghost text, chat and plans from Lido, by eglot  -*- lexical-binding: t -*-

;; Version: 0.1
;; Package-Requires: ((emacs "28.1") (eglot "1.9"))
;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; (require 'lido)
;; (add-to-list 'eglot-server-programs '(python-mode . (lido-server "lido" "serve")))
;; (add-hook 'python-mode-hook #'eglot-ensure)
;; (add-hook 'eglot-managed-mode-hook #'lido-mode)
;;
;; Eglot runs one server per mode: Lido takes the place of another there.

;;; Code:

(require 'cl-lib)
(require 'eglot)

(defgroup lido nil "Lido, an AI pair programmer." :group 'tools)

(defcustom lido-idle-delay 0.1
  "Seconds without a key after which a suggestion is asked for."
  :type 'number)

(defface lido-ghost '((t :inherit shadow :slant italic)) "Suggested text.")

(defclass lido-server (eglot-lsp-server) () :documentation "A session with `lido serve'.")

(defvar lido--chat-buffer "*lido chat*")
(defvar lido--conversation nil "The chat's conversation id.")
(defvar lido--streams nil "Tokens of answers that are coming.")
(defvar lido--review nil "Id of the last review.")

;;; The session

(cl-defmethod eglot-client-capabilities :around ((_server lido-server))
  "Say that inline completion is understood, and that plans' questions are asked here."
  (let ((capabilities (cl-call-next-method)))
    (setq capabilities (plist-put capabilities :experimental (list :lido (list :plan t))))
    (plist-put capabilities :textDocument
               (plist-put (plist-get capabilities :textDocument)
                          :inlineCompletion (list :dynamicRegistration :json-false)))))

(defun lido--server ()
  "The session of this buffer, or an error."
  (let ((server (eglot-current-server)))
    (if (cl-typep server 'lido-server) server
      (user-error "Lido is not running here: M-x eglot"))))

(defun lido--position-to-point (position)
  "The buffer position of an LSP POSITION."
  (funcall (if (fboundp 'eglot-lsp-position-to-point) 'eglot-lsp-position-to-point
             'eglot--lsp-position-to-point)
           position))

(defun lido--point-to-position (&optional where)
  "The LSP position of WHERE, or of point."
  (funcall (if (fboundp 'eglot--pos-to-lsp-position) 'eglot--pos-to-lsp-position
             'eglot-pos-to-lsp-position)
           where))

(defun lido--uri ()
  "This buffer's URI, as eglot spells it."
  (plist-get (eglot--TextDocumentIdentifier) :uri))

(defun lido--request (server method params then)
  "Send METHOD with PARAMS to SERVER; THEN gets the result, an error is a message."
  (jsonrpc-async-request
   server method params
   :success-fn then
   :error-fn (jsonrpc-lambda (&key message &allow-other-keys) (message "Lido: %s" message))
   :timeout-fn #'ignore :timeout 600))

(defun lido--run (server command arguments)
  "Let SERVER run COMMAND with ARGUMENTS, a vector."
  (lido--request server :workspace/executeCommand
                 (list :command command :arguments arguments) #'ignore))

;;; Ghost text

(defvar-local lido--overlay nil)
(defvar-local lido--item nil "The item that is shown.")
(defvar-local lido--start nil "Marker where the item's range starts.")
(defvar-local lido--covered 0 "Characters after point that accepting replaces.")
(defvar-local lido--told nil)
(defvar-local lido--timer nil)

;; The bindings stand always, and each decides when it is looked up whether it is there.
(defvar lido-mode-map
  (let ((map (make-sparse-keymap)))
    (pcase-dolist (`(,key . ,command) '(("TAB" . lido-accept) ("<tab>" . lido-accept)
                                        ("M-f" . lido-accept-word) ("C-e" . lido-accept-line)
                                        ("C-g" . lido-dismiss)))
      (define-key map (kbd key)
                  `(menu-item "" ,command :filter ,(lambda (found) (and lido--item found)))))
    map)
  "Keys while a suggestion is shown; without one they are what they were.")

(defun lido--clear ()
  "Take the suggestion off the screen."
  (when lido--overlay (delete-overlay lido--overlay))
  (setq lido--overlay nil lido--item nil lido--told nil))

(defun lido--remaining ()
  "What of the suggestion is not typed yet, or nil where text or point left it."
  (when (and lido--item (>= (point) lido--start))
    (let ((typed (buffer-substring-no-properties lido--start (point)))
          (text (plist-get lido--item :insertText)))
      (and (< (length typed) (length text))
           (string-prefix-p typed text)
           (substring text (length typed))))))

(defun lido--id ()
  "The shown suggestion's id."
  (aref (plist-get (plist-get lido--item :command) :arguments) 0))

(defun lido--draw ()
  "Show what remains of the suggestion; nil where nothing does."
  (when-let ((text (lido--remaining)))
    (unless lido--overlay
      (setq lido--overlay (make-overlay (point) (point) nil t t)))
    (move-overlay lido--overlay (point) (point))
    (let ((ghost (propertize text 'face 'lido-ghost)))
      (put-text-property 0 1 'cursor t ghost)
      (overlay-put lido--overlay 'after-string ghost))
    (unless lido--told
      (setq lido--told t)
      (jsonrpc-notify (lido--server) :lido/completion/shown (list :id (lido--id))))
    t))

(defun lido-suggest (&optional automatic)
  "Ask for a suggestion at point; AUTOMATIC where no key asked for it."
  (interactive)
  (let ((server (lido--server)) (buffer (current-buffer))
        (tick (buffer-chars-modified-tick)) (point (point)))
    (eglot--signal-textDocument/didChange)
    (lido--request
     server :textDocument/inlineCompletion
     (list :textDocument (eglot--TextDocumentIdentifier) :position (lido--point-to-position)
           :context (list :triggerKind (if automatic 2 1)))
     (lambda (result)
       (when (buffer-live-p buffer)
         (with-current-buffer buffer
           (let* ((items (if (vectorp result) result (plist-get result :items)))
                  (item (and (> (length items) 0) (aref items 0))))
             (when (and item (= point (point)) (= tick (buffer-chars-modified-tick)))
               (lido--clear)
               (let ((range (plist-get item :range)))
                 (setq lido--item item
                       lido--start (copy-marker (lido--position-to-point (plist-get range :start)))
                       lido--covered (max 0 (- (lido--position-to-point (plist-get range :end)) point))))
               (lido--draw)))))))))

(defun lido-accept ()
  "Take the whole suggestion."
  (interactive)
  (when-let ((text (lido--remaining)))
    (let ((command (plist-get lido--item :command)) (covered lido--covered))
      (lido--clear)
      (delete-region (point) (min (point-max) (+ (point) covered)))
      (insert text)
      (eglot--signal-textDocument/didChange)
      (lido--run (lido--server) (plist-get command :command) (plist-get command :arguments)))))

(defun lido--accept-part (pattern)
  "Take what of the suggestion PATTERN matches at its beginning."
  (when-let ((text (lido--remaining)))
    (let ((part (if (string-match pattern text) (match-string 0 text) text)))
      (if (string= part text)
          (lido-accept)
        (insert part)
        (eglot--signal-textDocument/didChange)
        ;; Eglot speaks UTF-16 unless told otherwise.
        (let ((taken (buffer-substring-no-properties lido--start (point))))
          (jsonrpc-notify (lido--server) :lido/completion/partiallyAccepted
                          (list :id (lido--id)
                                :acceptedLength (/ (length (encode-coding-string taken 'utf-16le)) 2))))
        (lido--draw)))))

(defun lido-accept-word ()
  "Take the suggestion's next word."
  (interactive)
  (lido--accept-part "\\`[[:space:]\n]*\\(?:\\w\\|_\\)+\\|\\`[[:space:]\n]*."))

(defun lido-accept-line ()
  "Take the suggestion's next line."
  (interactive)
  (lido--accept-part "\\`\n?[^\n]*"))

(defun lido-dismiss ()
  "Say no to the suggestion."
  (interactive)
  (when lido--item
    (jsonrpc-notify (lido--server) :lido/completion/dismissed
                    (list :id (lido--id) :reason "dismissed"))
    (lido--clear)))

(defun lido--after-command ()
  "Follow what was typed; ask anew where the suggestion is over."
  (unless (lido--draw)
    (lido--clear)
    (when lido--timer (cancel-timer lido--timer))
    (when (memq this-command '(self-insert-command newline newline-and-indent indent-for-tab-command
                                                   delete-backward-char backward-delete-char-untabify
                                                   python-indent-dedent-line-backspace lido-accept))
      (setq lido--timer (run-with-idle-timer lido-idle-delay nil #'lido--idle (current-buffer))))))

(defun lido--idle (buffer)
  "Ask for a suggestion if BUFFER is still the one being edited."
  (when (and (eq buffer (current-buffer)) (cl-typep (eglot-current-server) 'lido-server))
    (lido-suggest t)))

;;;###autoload
(define-minor-mode lido-mode
  "Suggestions as ghost text, where eglot runs Lido."
  :lighter " Lido"
  :keymap lido-mode-map
  (if lido-mode
      (add-hook 'post-command-hook #'lido--after-command nil t)
    (remove-hook 'post-command-hook #'lido--after-command t)
    (lido--clear)))

;;; Chat

(defun lido--append (text)
  "Write TEXT at the chat's end."
  (with-current-buffer (get-buffer-create lido--chat-buffer)
    (save-excursion (goto-char (point-max)) (insert text))
    (when-let ((window (get-buffer-window))) (set-window-point window (point-max)))))

(cl-defmethod eglot-handle-notification :around ((_server lido-server) (_method (eql $/progress))
                                                 &rest arguments)
  "Write what comes of a chat's answer; leave other progress to eglot."
  (if (member (plist-get arguments :token) lido--streams)
      (lido--append (plist-get (plist-get arguments :value) :delta))
    (cl-call-next-method)))

(defun lido-chat (text &optional begin end)
  "Ask TEXT in the chat; with an active region from BEGIN to END, about that."
  (interactive (append (list (read-string "Lido: "))
                       (and (use-region-p) (list (region-beginning) (region-end)))))
  (let ((server (lido--server)) (token (format "lido-%s" (float-time))))
    (push token lido--streams)
    (lido--append (format "## You\n\n%s\n\n## Lido\n\n" text))
    (let ((window (display-buffer lido--chat-buffer)))
      (with-selected-window window (when (fboundp 'markdown-mode) (markdown-mode)) (visual-line-mode)))
    (jsonrpc-async-request
     server :lido/chat/send
     (append (list :text text :partialResultToken token
                   :attachments
                   (if begin
                       (vector (list :kind "selection" :uri (lido--uri)
                                     :range (list :start (lido--point-to-position begin)
                                                  :end (lido--point-to-position end))
                                     :text (buffer-substring-no-properties begin end)))
                     []))
             (and lido--conversation (list :conversationId lido--conversation)))
     :success-fn (jsonrpc-lambda (&key conversationId &allow-other-keys)
                   (setq lido--conversation conversationId
                         lido--streams (delete token lido--streams))
                   (lido--append "\n\n"))
     :error-fn (jsonrpc-lambda (&key message &allow-other-keys)
                 (setq lido--streams (delete token lido--streams))
                 (lido--append (format "*%s*\n\n" message)))
     :timeout-fn #'ignore :timeout 600)))

;;; Plans and reviews

(defun lido-plan (instruction)
  "Let Lido plan and propose edits for INSTRUCTION; they come as a review."
  (interactive "sLido, do: ")
  (lido--request (lido--server) :lido/plan/start
                 (list :instruction instruction :mode "plan"
                       :attachments (vector (list :kind "file" :uri (lido--uri))))
                 #'ignore))

(cl-defmethod eglot-handle-notification ((server lido-server) (_method (eql lido/plan/update))
                                         &key planId state message question reviewId &allow-other-keys)
  "Show how the plan PLANID of SERVER goes: STATE, MESSAGE, QUESTION, REVIEWID."
  (pcase state
    ("waiting" (run-with-timer
                0 nil
                (lambda ()
                  (lido--request server :lido/plan/answer
                                 (list :planId planId :text (read-string (format "Lido: %s " question)))
                                 #'ignore))))
    ("review" (setq lido--review reviewId))
    ((or "failed" "gaveUp") (message "Lido: %s" message))))

(cl-defmethod eglot-handle-notification ((_server lido-server) (_method (eql lido/status))
                                         &key state message &allow-other-keys)
  "Say what STATE is an error and its MESSAGE."
  (when (equal state "error") (message "Lido: %s" message)))

(defun lido-review (what)
  "Do WHAT with the last review: accept all, reject all, show it, or undo it."
  (interactive (list (completing-read "Review: " '("acceptAll" "rejectAll" "show" "undo") nil t)))
  (unless lido--review (user-error "There is no review"))
  (lido--run (lido--server) (concat "lido.review." what) (vector lido--review)))

(provide 'lido)
;;; lido.el ends here
