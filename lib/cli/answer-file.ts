/** Where the answers of `predict` go: standard output as they come, or a file that has its name only once it is whole. */
import { once } from 'node:events';

import { openWholeFile } from '../data/whole-file.js';
import { ConfigError } from '../errors.js';

export interface AnswerFile {
	write(line: string): Promise<void>;
	/** All answers are there. */
	finish(): Promise<void>;
	/** There will be no more: keeps those that are there, and says where; undefined where that is nowhere else. */
	keep(): Promise<string | undefined>;
	/** To be called in the end in any case; what was neither finished nor kept is gone. */
	close(): Promise<void>;
}

const BYTES_AT_ONCE = 2 ** 16;

export const standardOutput: AnswerFile = {
	write: async (line) => {
		if (!process.stdout.write(line)) await once(process.stdout, 'drain');
	},
	finish: async () => {},
	keep: async () => undefined,
	close: async () => {},
};

export async function openAnswerFile(path: string): Promise<AnswerFile> {
	const file = await openWholeFile(
		path,
		(cause) =>
			new ConfigError('OUTPUT_NOT_WRITABLE', `Could not write ${path}: ${cause.message}`, { cause, hint: 'name another file with --output' }),
	);
	let waiting = '';
	let written = false;
	const flush = async () => {
		const text = waiting;
		waiting = '';
		written = true;
		await file.write(text);
	};
	return {
		write: async (line) => {
			waiting += line;
			if (waiting.length >= BYTES_AT_ONCE) await flush();
		},
		finish: async () => {
			await flush();
			await file.commit();
		},
		keep: async () => {
			if (waiting === '' && !written) return undefined;
			await flush();
			await file.commit(`${path}.partial`);
			return `${path}.partial`;
		},
		close: () => file.discard(),
	};
}
