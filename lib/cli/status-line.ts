/** How far work has come: one line that renews itself on a terminal, a plain line every two seconds elsewhere. */
import type { Output } from './output.js';

export const LINE_EVERY_MS = 2000;
const REDRAW_EVERY_MS = 100;

export class StatusLine {
	readonly #output: Output;
	readonly #terminal = process.stderr.isTTY === true;
	#drawnMs: number;

	/** `since`: when the work began that draws nothing for as long as a line takes; 0 for one whose first line comes at once. */
	constructor(output: Output, since = 0) {
		this.#output = output;
		this.#drawnMs = since;
	}

	/** Whether it is time for another line. */
	get isDue(): boolean {
		return !this.#output.quiet && performance.now() - this.#drawnMs >= (this.#terminal ? REDRAW_EVERY_MS : LINE_EVERY_MS);
	}

	/** `now`: due or not. */
	draw(text: string, now = false): void {
		if (this.#output.quiet || (!now && !this.isDue)) return;
		this.#drawnMs = performance.now();
		process.stderr.write(this.#terminal ? `\r${text}\u001b[K` : `${text}\n`);
	}

	/** A line that stays. */
	say(line: string): void {
		this.clear();
		this.#output.say(line);
	}

	clear(): void {
		if (this.#terminal && !this.#output.quiet) process.stderr.write('\r\u001b[K');
	}
}

/** 3723 -> '1 h 2 min', 75 -> '1 min 15 s'. */
export function duration(seconds: number): string {
	const whole = Math.round(seconds);
	if (whole < 60) return `${whole} s`;
	if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
	return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
