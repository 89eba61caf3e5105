# Man pages and completions, which the command itself writes, and a Debian package of all that is installed (cpack).
set(PGSLUICE_PAGES ${PROJECT_BINARY_DIR}/pages)
add_custom_command(
  OUTPUT ${PGSLUICE_PAGES}/made
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${PGSLUICE_PAGES}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${PGSLUICE_PAGES}/man
  COMMAND pgsluice man-pages ${PGSLUICE_PAGES}/man
  COMMAND sh -c "gzip -9n '${PGSLUICE_PAGES}'/man/*.1"
  COMMAND pgsluice completion bash > ${PGSLUICE_PAGES}/pgsluice.bash
  COMMAND pgsluice completion zsh > ${PGSLUICE_PAGES}/_pgsluice
  COMMAND pgsluice completion fish > ${PGSLUICE_PAGES}/pgsluice.fish
  COMMAND ${CMAKE_COMMAND} -E touch ${PGSLUICE_PAGES}/made
  DEPENDS pgsluice
  COMMENT "Writing man pages and completions"
  VERBATIM)
add_custom_target(pgsluice_pages ALL DEPENDS ${PGSLUICE_PAGES}/made)

install(DIRECTORY ${PGSLUICE_PAGES}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${PGSLUICE_PAGES}/pgsluice.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME pgsluice)
install(FILES ${PGSLUICE_PAGES}/_pgsluice DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${PGSLUICE_PAGES}/pgsluice.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
# The links between the documents hold where they are installed.
install(FILES README.md CHANGELOG.md CONTRIBUTING.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY tests/consumer DESTINATION ${CMAKE_INSTALL_DOCDIR}/tests)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pgsluice)
set(CPACK_PACKAGE_VENDOR pgsluice)
set(CPACK_PACKAGE_CONTACT "The pgsluice developers <pgsluice@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# pg_dump, of a version not older than the source's.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "postgresql-client")
# What a program that embeds the library is linked with.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS
    "libpq-dev, libssl-dev, liburing-dev, libxxhash-dev, libre2-dev, libsqlite3-dev, libzstd-dev, liblz4-dev, libarchive-dev, zlib1g-dev, libfmt-dev, nlohmann-json3-dev, libboost1.81-dev, libboost-url1.81-dev, prometheus-cpp-dev")
include(CPack)
