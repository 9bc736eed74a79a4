// npm's smtp-server: takes everything, keeps nothing. Its argument is the port.
import { SMTPServer } from 'smtp-server';

const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS', 'AUTH'],
  disableReverseLookup: true,
  maxClients: 1000,
  onData(stream, session, done) {
    stream.resume();
    stream.on('end', () => done());
  },
});
server.listen(Number(process.argv[2]), '127.0.0.1');
