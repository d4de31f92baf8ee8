/** The record a run left in its folder, as a diagnosis reads it. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';

import { DataError } from '../../errors.js';
import { runFile, unfinishedRunFile } from '../../train/record.js';
import { factsOf, NotARecord, type RunFacts } from './facts.js';

/** Larger than any run leaves: 512 points, and a matrix of a million numbers an evaluation at the very most. */
const mostBytes = 256 * 2 ** 20;

/**
 * Of the run that was last begun in `folder`: one that did not come to its end has a record of its own. Throws DataError
 * RUN_RECORD_NOT_FOUND, RUN_RECORD_INVALID or RUN_RECORD_TOO_LARGE.
 */
export async function readRun(folder: string): Promise<{ readonly file: string; readonly facts: RunFacts }> {
	for (const name of [unfinishedRunFile, runFile]) {
		const file = join(folder, name);
		const text = await textOf(file);
		if (text === undefined) continue;
		const facts = factsIn(text, file);
		// A record that says the run goes on is what a killed one leaves.
		return { file, facts: facts.status === 'running' ? { ...facts, status: 'interrupted' } : facts };
	}
	throw new DataError('RUN_RECORD_NOT_FOUND', `Expected ${folder} to be the output folder of a run, but it holds no ${runFile}`, {
		file: folder,
		hint: 'name the folder given as --output-dir',
	});
}

async function textOf(file: string): Promise<string | undefined> {
	const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
		if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
		throw new DataError('RUN_RECORD_INVALID', `${file} cannot be read: ${error.message}`, { file, cause: error });
	});
	if (handle === undefined) return undefined;
	try {
		const info = await handle.stat();
		if (!info.isFile()) throw new DataError('RUN_RECORD_INVALID', `Expected ${file} to be a file`, { file });
		if (info.size > mostBytes)
			throw new DataError('RUN_RECORD_TOO_LARGE', `Expected ${file} to have at most ${mostBytes} bytes, it has ${info.size}`, { file });
		return await handle.readFile('utf8');
	} finally {
		await handle.close();
	}
}

function factsIn(text: string, file: string): RunFacts {
	const invalid = (why: string, cause: unknown) =>
		new DataError('RUN_RECORD_INVALID', `${file} is not the record of a run this version can read: ${why}`, {
			file,
			cause,
			hint: 'train again, so that it is written anew',
		});
	let record: unknown;
	try {
		record = JSON.parse(text);
	} catch (cause) {
		throw invalid('it is no JSON', cause);
	}
	try {
		return factsOf(record);
	} catch (cause) {
		if (cause instanceof NotARecord || cause instanceof RangeError) throw invalid(cause.message, cause);
		throw cause;
	}
}
