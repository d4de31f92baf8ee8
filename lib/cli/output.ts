/** Where the command line's words go: JSON and results to standard output, everything else for people to standard error. */
import { AbortError, DistiltuneError, TrainingError } from '../errors.js';

export interface OutputOptions {
	readonly json?: boolean;
	readonly quiet?: boolean;
}

export class Output {
	readonly json: boolean;
	readonly quiet: boolean;

	constructor({ json = false, quiet = false }: OutputOptions) {
		this.json = json;
		this.quiet = quiet;
	}

	/** A line for people. */
	say(line: string): void {
		if (!this.quiet) process.stderr.write(`${line}\n`);
	}

	/** One JSON value on one line. */
	emit(value: unknown): void {
		process.stdout.write(`${JSON.stringify(value)}\n`);
	}

	/** A result: as JSON with --json, else in words. */
	result(value: unknown, words: string): void {
		if (this.json) this.emit(value);
		else process.stdout.write(`${words}\n`);
	}

	/** Says what went wrong; returns the exit code. */
	fail(error: unknown): number {
		const { code, message, hint, details } = faceOf(error);
		if (this.json) this.emit({ error: { code, message, hint, details } });
		process.stderr.write(`error: ${message}\n${hint === undefined ? '' : `hint: ${hint}\n`}`);
		if (process.env.DISTILTUNE_DEBUG === '1') console.error(error);
		return exitCode(error);
	}
}

/** What may be said of any error, wanted or not. */
export function faceOf(error: unknown): { code: string; message: string; hint?: string | undefined; details?: unknown } {
	if (error instanceof DistiltuneError) return { code: error.code, message: error.message, hint: error.hint, details: error.details };
	const { code, message, hint } = error as { code?: string; message?: string; hint?: string };
	return { code: code ?? 'UNEXPECTED', message: message ?? String(error), hint: hint ?? 'DISTILTUNE_DEBUG=1 shows where it happened' };
}

/** 1: the run failed; 75: try again; 2: bad input or options, or a machine that lacks something; 130 and 143: interrupted. */
function exitCode(error: unknown): number {
	if (error instanceof AbortError) return error.cause === 'SIGTERM' ? 143 : 130;
	if (error instanceof TrainingError) return error.code === 'SWEEP_BUSY' ? 75 : 1;
	return error instanceof DistiltuneError ? 2 : 1;
}
