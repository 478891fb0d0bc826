/**
 * tsbuild from JavaScript: build with events, react to a typed error, stop by an AbortSignal, run the result.
 *
 *     node examples/api.js CONTEXT
 */
import { build, run } from 'tsbuild';

const context = process.argv[2] ?? 'examples/hello';
const timeout = AbortSignal.timeout(120_000);

const operation = build({ context, tags: ['hello-api'], signal: timeout });
for await (const event of operation) {
  if (event.type === 'step.end') console.log(`${event.step} ${event.outcome}`);
}
const { digest, steps } = await operation;
console.log(`built ${digest}: ${steps.cached} of ${steps.total} steps were cached`);

try {
  await build({ context, target: 'no-such-stage', signal: timeout });
} catch (error) {
  console.log(`as expected: ${error.code}`);
}

const { exitCode } = await run({ image: 'hello-api', remove: true, stdio: 'inherit' });
console.log(`the container ended with ${exitCode}`);
