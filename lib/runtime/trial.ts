/**
 * Loads both addons and says how far it came, one JSON object a line: run by doctor in a process of its own, because a damaged
 * library can end the process that opens it. Argument: the lib folder of a libtorch; none to try base alone.
 */
import { writeSync } from 'node:fs';
import type { RuntimeUnavailableError } from '../errors.js';
import { loadBase, loadEngine } from './load.js';

/** What a trial learnt; a part is missing where it did not get there. */
export interface Trial {
	readonly cpu?: { readonly isa: string; readonly cores: number };
	/** libtorch the engine was built with. */
	readonly torchVersion?: string;
	/** OpenMP runtimes mapped once everything is loaded. */
	readonly openmp?: readonly string[];
	readonly error?: { readonly message: string; readonly fix: string | undefined };
}

const say = (part: Trial) => writeSync(1, `${JSON.stringify(part)}\n`);

try {
	const base = loadBase();
	say({ cpu: base.cpu() });
	const libtorch = process.argv[2];
	if (libtorch) say({ torchVersion: loadEngine({ libtorch }).torchVersion });
	say({ openmp: base.mappedLibraries().filter((path) => /\/lib[gi]?omp[^/]*$/.test(path)) });
} catch (error) {
	const { message, hint } = error as RuntimeUnavailableError;
	say({ error: { message, fix: hint } });
}
