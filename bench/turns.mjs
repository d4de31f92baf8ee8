// Programs that are measured in turns: each is a child that stands still until it is asked for some steps, so that two sides are
// measured seconds apart on a machine that is never quiet for long. A child prints one line of JSON when it is ready, one for each
// line it reads (a number of steps), and one more, its last words, when its standard input ends.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export class Turns {
	#child;
	#lines;
	#errors = '';

	constructor(command, args, env = {}) {
		this.name = [command, ...args].join(' ');
		this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
		this.#child.stderr.on('data', (text) => {
			this.#errors = (this.#errors + text).slice(-4000);
		});
		this.#child.stdin.on('error', () => {}); // what it died of is in #errors
		this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
	}

	/** What it says next; anything but JSON objects is passed over. */
	async next() {
		for (;;) {
			const { value, done } = await this.#lines.next();
			if (done) throw new Error(`${this.name} ended early:\n${this.#errors}`);
			if (value.startsWith('{"')) return JSON.parse(value);
		}
	}

	take(steps) {
		this.#child.stdin.write(`${steps}\n`);
		return this.next();
	}

	async end() {
		this.#child.stdin.end();
		const words = await this.next();
		await new Promise((resolve) => (this.#child.exitCode === null ? this.#child.once('close', resolve) : resolve()));
		return words;
	}

	kill() {
		this.#child.kill('SIGKILL');
	}
}
