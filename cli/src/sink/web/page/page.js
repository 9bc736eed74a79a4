// Lists what arrived, and shows the message that is chosen. Everything of a message is written as text, but for its HTML,
// which is in a frame of its own.

const element = (id) => document.getElementById(id);
const make = (name, text, properties = {}) => Object.assign(document.createElement(name), { textContent: text }, properties);

let messages = [];
let chosen = null;
let view = 'text';
let content = null;

async function refresh() {
  try {
    const response = await fetch('/messages');
    const latest = await response.json();
    const key = (list) => list.map((message) => message.number).join();
    if (key(latest) !== key(messages)) {
      messages = latest;
      list();
    }
    if (messages.length > 0 && chosen === null) await choose(messages[0].number);
  } catch {
    element('count').textContent = 'the sink has ended';
  }
}

function list() {
  const { length } = messages;
  element('count').textContent = length === 0 ? 'no messages yet' : `${length} message${length === 1 ? '' : 's'}`;
  element('clear').hidden = length === 0;
  element('hint').hidden = length > 0;
  if (length === 0) {
    element('message').hidden = true;
    chosen = null;
  }
  element('list').replaceChildren(...messages.map(entry));
}

function entry(message) {
  const button = make('button', '', { type: 'button' });
  button.dataset.number = message.number;
  button.setAttribute('aria-current', String(message.number === chosen));
  button.append(
    make('strong', message.subject || '(no subject)'),
    make('span', `${message.reverse_path || '<>'} → ${message.recipients.map((recipient) => recipient.address).join(', ')}`),
    make('span', `${new Date(message.time * 1000).toLocaleTimeString()} · ${message.size} octets`),
  );
  button.addEventListener('click', () => choose(message.number));
  const item = document.createElement('li');
  item.append(button);
  return item;
}

async function choose(number) {
  const message = messages.find((message) => message.number === number);
  const response = await fetch(`/messages/${number}`);
  if (!message || !response.ok) return;
  content = await response.json();
  chosen = number;
  for (const button of element('list').querySelectorAll('button')) {
    button.setAttribute('aria-current', String(Number(button.dataset.number) === number));
  }
  element('subject').textContent = message.subject || '(no subject)';
  const rows = {
    From: message.reverse_path || '<>',
    To: message.recipients.map((recipient) => [recipient.address, ...recipient.parameters].join(' ')).join(', '),
    Parameters: message.parameters.join(' '),
    Client: [message.client, message.hello].filter(Boolean).join(', '),
    Protocol: [message.protocol, message.tls?.version].filter(Boolean).join(', '),
    User: message.user,
    'SHA-256': message.sha256,
    Stored: message.stored,
  };
  const filled = Object.entries(rows).filter(([, value]) => value);
  element('envelope').replaceChildren(...filled.flatMap(([name, value]) => [make('dt', name), make('dd', value)]));
  element('message').hidden = false;
  const has = { text: content.text !== null, html: content.html, attachments: content.attachments.length > 0 };
  for (const tab of tabs()) tab.disabled = has[tab.dataset.view] === false;
  const wanted = tabs().find((tab) => tab.dataset.view === view);
  show(wanted.disabled ? tabs().find((tab) => !tab.disabled).dataset.view : view);
}

const tabs = () => [...element('tabs').children];

const views = {
  text: () => [make('pre', content.text)],
  html: () => {
    const frame = make('iframe', '', { title: 'The HTML of the message', src: `/messages/${chosen}/html` });
    frame.setAttribute('sandbox', '');
    return [frame];
  },
  headers: () => {
    const list = document.createElement('dl');
    list.append(...content.headers.flatMap(([name, value]) => [make('dt', name), make('dd', value)]));
    return [list];
  },
  attachments: () => {
    const list = document.createElement('ul');
    list.append(...content.attachments.map((attachment, place) => {
      const item = document.createElement('li');
      const link = make('a', attachment.name, { href: `/messages/${chosen}/attachments/${place}`, download: '' });
      item.append(link, ` ${attachment.content_type}, ${attachment.size} octets`);
      return item;
    }));
    return [list];
  },
  source: () => {
    const link = make('a', 'Download', { href: `/messages/${chosen}/source`, download: '' });
    return [link, make('pre', content.source)];
  },
  dialogue: () => {
    const text = document.createElement('pre');
    const line = (said) => make('span', `${said}\n`, { className: said.startsWith('C:') ? 'client' : 'server' });
    text.append(...content.dialogue.map(line));
    return [text];
  },
};

function show(name) {
  view = name;
  for (const tab of tabs()) {
    tab.setAttribute('aria-selected', String(tab.dataset.view === name));
    tab.tabIndex = tab.dataset.view === name ? 0 : -1;
  }
  element('view').replaceChildren(...views[name]());
}

element('tabs').addEventListener('click', (event) => {
  if (event.target.dataset.view) show(event.target.dataset.view);
});
element('tabs').addEventListener('keydown', (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const usable = tabs().filter((tab) => !tab.disabled);
  const place = usable.findIndex((tab) => tab.dataset.view === view);
  const next = usable[(place + step + usable.length) % usable.length];
  show(next.dataset.view);
  next.focus();
});
element('clear').addEventListener('click', async () => {
  await fetch('/messages', { method: 'DELETE' });
  await refresh();
});

await refresh();
setInterval(refresh, 1000);
