import { createApp } from './app.js';

const app = createApp(process.env.APP_VERSION);

if (process.argv.includes('--once')) {
  // Answers one request of its own and ends: what the example's test runs.
  app.listen(0, '127.0.0.1', async () => {
    const response = await fetch(`http://127.0.0.1:${app.address().port}/container`);
    console.log(await response.text());
    app.closeAllConnections();
    app.close();
  });
} else {
  app.listen(3000, () => console.log('listening on port 3000'));
  process.on('SIGTERM', () => app.close());
}
