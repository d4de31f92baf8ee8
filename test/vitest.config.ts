import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
	test: {
		root: fileURLToPath(new URL('..', import.meta.url)),
		include: ['test/**/*.test.ts'],
		pool: 'forks',
		// Tests that train or build share the machine's cores with the compiler's own threads.
		maxWorkers: 2,
		testTimeout: 120_000,
	},
});
